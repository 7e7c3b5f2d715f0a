#include "peal/bus/feed.hpp"

#include <algorithm>

namespace peal::bus {

Feed::Step Feed::on_publication(const Epoch& epoch, Offset offset) {
  if (epoch != epoch_) return Step::reset;
  if (offset < next_) return Step::drop;
  if (offset > next_) return Step::hole;
  next_ = next_.next();
  return Step::deliver;
}

Feed::Step Feed::on_head(const Head& head) {
  if (head.epoch != epoch_) return Step::reset;
  if (head.top < next_) return Step::drop;
  // What is missing starts at `next`: it can be read only if nothing above next - 1 was trimmed.
  return head.floor < next_ ? Step::hole : Step::reset;
}

void Feed::advance(Offset to) {
  next_ = std::max(next_, to.next());
}

}  // namespace peal::bus
