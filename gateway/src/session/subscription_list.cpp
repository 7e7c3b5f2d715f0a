#include "session/subscription_list.hpp"

namespace peal::gateway {

std::uint32_t SubscriptionList::add(Subscription subscription) {
  if (size_ == capacity_) grow();
  data()[size_] = subscription;
  return size_++;
}

std::uint32_t SubscriptionList::remove(std::uint32_t slot) {
  const std::uint32_t last = --size_;
  data()[slot] = data()[last];
  if (size_ <= 1 && capacity_ > 1) {
    const Subscription kept = many_[0];
    delete[] many_;
    one_ = kept;
    capacity_ = 1;
  }
  return last;
}

void SubscriptionList::grow() {
  auto* bigger = new Subscription[capacity_ * 2];
  for (std::uint32_t i = 0; i < size_; ++i)
    bigger[i] = data()[i];
  if (capacity_ > 1) delete[] many_;
  many_ = bigger;
  capacity_ *= 2;
}

}  // namespace peal::gateway
