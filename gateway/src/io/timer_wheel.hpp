#pragma once
// One coarse timer per small index (a connection), in a wheel of 512 slots: schedule and cancel are
// O(1) and cost 12 bytes an index. Pure: time is a tick number that the caller counts (a shard's is
// 32 ms). Timers fire late by at most one tick, never early; those beyond one turn of the wheel
// stay in their slot for another round.

#include <array>
#include <cstdint>
#include <vector>

namespace peal::gateway {

class TimerWheel {
 public:
  using Tick = std::uint32_t;
  static constexpr std::uint32_t kSlots = 512;

  TimerWheel() { heads_.fill(kNone); }

  /// (Re)sets the timer of `index` to fire at `due` (at the next advance when it has passed).
  void schedule(std::uint32_t index, Tick due);
  void cancel(std::uint32_t index);
  bool scheduled(std::uint32_t index) const {
    return index < nodes_.size() && nodes_[index].slot_prev != kIdle;
  }

  /// Calls fire(index) for all that are due up to and including `now`; each is unscheduled first,
  /// and `fire` may schedule and cancel any.
  template <class Fire>
  void advance(Tick now, Fire&& fire) {
    while (current_ != now + 1) {
      if (size_ == 0) {
        current_ = now + 1;
        return;
      }
      const std::uint32_t slot = current_ % kSlots;
      collect_due(slot, current_);
      ++current_;
      for (const std::uint32_t index : due_)
        if (nodes_[index].slot_prev == kDue) {
          nodes_[index].slot_prev = kIdle;
          fire(index);
        }
    }
  }
  /// How many ticks after `now` the next slot with a timer comes, at most `limit`.
  Tick ticks_to_next(Tick now, Tick limit) const;
  std::size_t size() const { return size_; }
  /// The tick that `advance` looks at next; set once before the first use.
  void start(Tick now) { current_ = now; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;  ///< end of a list
  static constexpr std::uint32_t kIdle = 0xfffffffe;  ///< not scheduled
  static constexpr std::uint32_t kDue = 0xfffffffd;   ///< taken out by the advance that is running
  static constexpr std::uint32_t kHead = 0x80000000;  ///< the previous one is the head of this slot
  struct Node {
    std::uint32_t next = kNone;
    std::uint32_t slot_prev = kIdle;
    Tick due = 0;
  };

  void unlink(std::uint32_t index);
  void collect_due(std::uint32_t slot, Tick now);

  std::array<std::uint32_t, kSlots> heads_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> due_;
  Tick current_ = 0;
  std::size_t size_ = 0;
};

}  // namespace peal::gateway
