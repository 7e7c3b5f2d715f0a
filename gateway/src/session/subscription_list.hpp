#pragma once
// What one session is subscribed to: for each channel its number in the Hub and the session's place
// among that channel's members, or the number of its recovery while it catches up. 16 bytes; the
// first subscription is held inside, more of them on the heap. Order means nothing: removing moves
// the last one into the gap.

#include <cstdint>
#include <span>
#include <utility>

namespace peal::gateway {

struct Subscription {
  static constexpr std::uint32_t kAside = 0x80000000;

  std::uint32_t channel;
  std::uint32_t place;

  /// It catches up, and is no member yet.
  bool aside() const { return (place & kAside) != 0; }
  std::uint32_t recovery() const { return place & ~kAside; }
};

class SubscriptionList {
 public:
  SubscriptionList() : one_{} {}
  SubscriptionList(const SubscriptionList&) = delete;
  SubscriptionList& operator=(const SubscriptionList&) = delete;
  ~SubscriptionList() {
    if (capacity_ > 1) delete[] many_;
  }

  std::uint32_t size() const { return size_; }
  Subscription& operator[](std::uint32_t slot) { return data()[slot]; }
  std::span<const Subscription> all() const { return {data(), size_}; }

  /// Its slot.
  std::uint32_t add(Subscription subscription);
  /// The slot that was moved into this one, or `slot` itself when it was the last.
  std::uint32_t remove(std::uint32_t slot);

 private:
  Subscription* data() { return capacity_ == 1 ? &one_ : many_; }
  const Subscription* data() const { return capacity_ == 1 ? &one_ : many_; }
  void grow();

  union {
    Subscription one_;
    Subscription* many_;
  };
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 1;
};

}  // namespace peal::gateway
