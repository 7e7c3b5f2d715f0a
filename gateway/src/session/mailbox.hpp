#pragma once
// Tasks that other threads leave for a shard. Off the hot path, so a mutex will do. It outlives its
// shard: once closed, whoever comes late is told so.

#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/proto/close_code.hpp"

namespace peal::gateway {

class SessionCloser;

class Mailbox {
 public:
  using Task = std::function<void()>;
  explicit Mailbox(bus::Waker& waker) : waker_(&waker) {}

  /// False when the shard has stopped; `task` is then dropped. Any thread.
  bool post(Task task) {
    const std::lock_guard lock(mutex_);
    if (waker_ == nullptr) return false;
    tasks_.push_back(std::move(task));
    waker_->wake();
    return true;
  }
  /// What was left since the last call. Owning thread.
  std::vector<Task> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(tasks_, {});
  }
  /// Nothing is taken any more; the tasks still inside are returned to be dropped. Owning thread.
  std::vector<Task> close() {
    const std::lock_guard lock(mutex_);
    waker_ = nullptr;
    return std::exchange(tasks_, {});
  }
  /// What SessionRef::close reaches; set before the shard starts, only called by tasks.
  void set_closer(SessionCloser* closer) { closer_ = closer; }
  SessionCloser* closer() const { return closer_; }

 private:
  std::mutex mutex_;
  bus::Waker* waker_;
  std::vector<Task> tasks_;
  SessionCloser* closer_ = nullptr;
};

/// Implemented by the sessions of a shard.
class SessionCloser {
 public:
  virtual ~SessionCloser() = default;
  virtual void close_session(std::uint32_t index, std::uint32_t generation, CloseCode code,
                             std::string_view reason) = 0;
};

}  // namespace peal::gateway
