#pragma once
// A value that any thread reads without a lock while another puts a new one in its place. What was
// replaced is kept, since somebody may still be looking at it: for what changes a few times in a
// process's life, as an operator's files do.

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace peal::runtime {

template <class T>
class Replaceable {
 public:
  explicit Replaceable(T first) { replace(std::move(first)); }

  /// Any thread; valid as long as this lives.
  const T& get() const { return *current_.load(std::memory_order_acquire); }
  /// Any thread.
  void replace(T next) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(std::make_unique<const T>(std::move(next)));
    current_.store(kept_.back().get(), std::memory_order_release);
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<const T>> kept_;
  std::atomic<const T*> current_{nullptr};
};

}  // namespace peal::runtime
