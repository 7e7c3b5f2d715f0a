#include "session/tail.hpp"

#include <algorithm>
#include <vector>

namespace peal::gateway {

void Tail::add(const PublicationView& publication) {
  pages_.clear();
  to_ = publication.offset;
  bytes_ += bytes_of(publication);
  publications_.push_back(copy_of(publication));
  while (publications_.size() > limits_.page_length_max || bytes_ > limits_.page_bytes_max) {
    from_ = publications_.front().offset;
    bytes_ -= bytes_of(view_of(publications_.front()));
    publications_.pop_front();
  }
}

void Tail::cover(Offset to) {
  if (to <= to_) return;
  pages_.clear();
  to_ = to;
}

CarriedPage* Tail::page(Offset after) {
  if (after < from_ || after >= to_) return nullptr;
  std::unique_ptr<CarriedPage>& made = pages_[after];
  if (made) return made.get();
  const auto first = std::ranges::upper_bound(publications_, after, {}, &Publication::offset);
  std::vector<PublicationView> views;
  for (auto at = first; at != publications_.end(); ++at)
    views.push_back(view_of(*at));
  bus::Page page;
  page.head = {epoch_, to_, {}};
  page.after = after;
  page.to = to_;
  page.publications = views;
  made = std::make_unique<CarriedPage>(std::make_shared<const SharedPage>(page));
  return made.get();
}

}  // namespace peal::gateway
