#pragma once
// What came live on one channel while sessions catch up with it, so that the last step to the
// present needs no read, however fast the channel is. It covers (from, to]; bounded by
// page_length_max and page_bytes_max, the oldest go first. Pure. One per channel and shard, there
// only while somebody recovers.

#include <deque>
#include <map>
#include <memory>

#include "peal/proto/limits.hpp"
#include "session/shared_page.hpp"

namespace peal::gateway {

class Tail {
 public:
  Tail(Position from, const Limits& limits)
      : limits_(limits), epoch_(from.epoch), from_(from.offset), to_(from.offset) {}

  /// The next publication that goes out.
  void add(const PublicationView& publication);
  /// Nothing more is due up to here.
  void cover(Offset to);
  /// What came after `after`, when all of that is here and it is not nothing. Until the next add.
  CarriedPage* page(Offset after);

 private:
  const Limits& limits_;
  const Epoch epoch_;
  Offset from_;
  Offset to_;
  std::deque<Publication> publications_;
  std::size_t bytes_ = 0;
  std::map<Offset, std::unique_ptr<CarriedPage>> pages_;  ///< made of what is here now
};

}  // namespace peal::gateway
