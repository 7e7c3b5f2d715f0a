#pragma once
// Many writers, one reader, no lock: an intrusive stack that the reader takes whole and turns
// around, so that each writer's messages come out in the order they went in. `post` says when the
// box was empty: then, and only then, the reader has to be woken.

#include <atomic>

namespace peal::bus {

/// Message needs a member `Message* next`.
template <class Message>
class Mailbox {
 public:
  /// Any thread. True: it was empty.
  bool post(Message* message) noexcept {
    Message* top = top_.load(std::memory_order_relaxed);
    do {
      message->next = top;
    } while (!top_.compare_exchange_weak(top, message, std::memory_order_seq_cst,
                                         std::memory_order_relaxed));
    return top == nullptr;
  }

  /// The reader. All of it, oldest first, linked by `next`.
  Message* take() noexcept {
    if (empty()) return nullptr;
    Message* taken = top_.exchange(nullptr, std::memory_order_acquire);
    Message* oldest = nullptr;
    while (taken != nullptr) {
      Message* const before = taken->next;
      taken->next = oldest;
      oldest = taken;
      taken = before;
    }
    return oldest;
  }

  bool empty() const noexcept { return top_.load(std::memory_order_seq_cst) == nullptr; }

 private:
  std::atomic<Message*> top_{nullptr};
};

}  // namespace peal::bus
