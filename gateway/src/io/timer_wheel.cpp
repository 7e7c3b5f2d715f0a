#include "io/timer_wheel.hpp"

#include <algorithm>

namespace peal::gateway {
namespace {

// Ticks wrap around after 4 years at 32 ms; differences stay right.
bool is_after(TimerWheel::Tick a, TimerWheel::Tick b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

}  // namespace

void TimerWheel::schedule(std::uint32_t index, Tick due) {
  if (index >= nodes_.size())
    nodes_.resize(std::max<std::size_t>(index + 1, nodes_.size() * 5 / 4));
  cancel(index);
  Node& node = nodes_[index];
  node.due = is_after(current_, due) ? current_ : due;
  const std::uint32_t slot = node.due % kSlots;
  node.next = heads_[slot];
  node.slot_prev = kHead | slot;
  if (node.next != kNone) nodes_[node.next].slot_prev = index;
  heads_[slot] = index;
  ++size_;
}

void TimerWheel::cancel(std::uint32_t index) {
  if (!scheduled(index)) return;
  unlink(index);
  nodes_[index].slot_prev = kIdle;
}

void TimerWheel::unlink(std::uint32_t index) {
  Node& node = nodes_[index];
  if (node.slot_prev == kDue) return;  // no list holds it any more
  if ((node.slot_prev & kHead) != 0)
    heads_[node.slot_prev & ~kHead] = node.next;
  else
    nodes_[node.slot_prev].next = node.next;
  if (node.next != kNone) nodes_[node.next].slot_prev = node.slot_prev;
  --size_;
}

void TimerWheel::collect_due(std::uint32_t slot, Tick now) {
  due_.clear();
  for (std::uint32_t index = heads_[slot]; index != kNone;) {
    const std::uint32_t next = nodes_[index].next;
    if (!is_after(nodes_[index].due, now)) {
      unlink(index);
      nodes_[index].slot_prev = kDue;
      due_.push_back(index);
    }
    index = next;
  }
}

TimerWheel::Tick TimerWheel::ticks_to_next(Tick now, Tick limit) const {
  if (size_ == 0) return limit;
  const Tick last = std::min<Tick>(limit, kSlots);
  for (Tick ticks = 0; ticks < last; ++ticks)
    if (heads_[(now + ticks) % kSlots] != kNone) return ticks;
  return limit;
}

}  // namespace peal::gateway
