#pragma once
// A subscriber's side of one recoverable channel: what comes next. Pure. One per shard and channel,
// owned by whoever watches. Publications below `next` are dropped (seen), the one at `next` is
// delivered, those above are not delivered: the hole is read from the log first and the page closes
// it. Held publications are not kept here: the log has them, so a hole costs one read and no
// memory.

#include <cstdint>

#include "peal/proto/position.hpp"

namespace peal::bus {

class Feed {
 public:
  enum class Step : std::uint8_t {
    deliver,  ///< the next one: `next` has moved past it
    drop,     ///< already seen
    hole,     ///< something before it is missing: read (next - 1, …], deliver nothing until then
    reset,    ///< another epoch: the past is gone, tell the subscribers
  };

  Feed() = default;
  explicit Feed(const Head& head) : epoch_(head.epoch), next_(head.top.next()) {}

  Step on_publication(const Epoch& epoch, Offset offset);
  /// A Head heard on the port (answer to a re-watch, or "pull"): drop = nothing moved.
  Step on_head(const Head& head);
  /// A page covered up to and including `to`.
  void advance(Offset to);
  /// Start anew after a reset.
  void restart(const Head& head) { *this = Feed(head); }

  const Epoch& epoch() const { return epoch_; }
  Offset next() const { return next_; }

 private:
  Epoch epoch_;
  Offset next_{1};
};

}  // namespace peal::bus
