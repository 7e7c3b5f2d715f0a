#pragma once
// Between one core's store and the thread of the Redis client: what is to be asked, and what came.
// Each direction is a list under a lock that is held for a push or a swap; whoever fills an empty
// list wakes the other side. The store's end and the thread's end hold it together.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "peal/redis/reply.hpp"

namespace peal::redis_store {

struct Asked {
  enum class What : std::uint8_t {
    call,         ///< the log's script, with `args`: answered
    presence,     ///< presence's script, with `args`: answered
    publish,      ///< `args`: answered
    subscribe,    ///< told on `channel`
    unsubscribe,  ///< of `channel`
  } what = What::call;
  std::uint64_t ticket = 0;
  std::string channel{};  ///< what decides the node, too
  std::string route{};    ///< if not empty: a key that does instead
  std::vector<std::string> args{};
  bool replicated = false;  ///< WAIT follows, if the config says so
};

struct Came {
  enum class What : std::uint8_t {
    answer,
    subscribed,
    broken,
    message,
    beat,  ///< a moment has passed; only while it is wished
  } what = What::answer;
  std::uint64_t ticket = 0;  ///< of the call, or of the subscription
  std::string channel{};     ///< what is told on
  redis::Answer answer{};
  std::string payload{};
};

class SeatLink {
 public:
  /// `wake`: the core's thread is to look; `wake_thread`: the client's. `first`: of its process,
  /// which one of them does what needs doing once.
  SeatLink(std::function<void()> wake, std::function<void()> wake_thread, bool first)
      : first_(first), wake_(std::move(wake)), wake_thread_(std::move(wake_thread)) {}
  bool first() const { return first_; }

  /// The store's end.
  void ask(std::vector<Asked>& asked) {
    if (asked.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      for (Asked& one : asked)
        asked_.push_back(std::move(one));
    }
    asked.clear();
    wake_thread_();
  }
  void take(std::vector<Came>& came) {
    came.clear();
    const std::lock_guard lock(mutex_);
    came_.swap(came);
  }
  void wish_beats(bool wished) {
    const std::lock_guard lock(mutex_);
    beats_ = wished;
  }
  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, most, [this] { return !came_.empty(); });
  }
  /// The store is gone: nobody is woken any more.
  void detach() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }

  /// The thread's end.
  void take(std::vector<Asked>& asked) {
    asked.clear();
    const std::lock_guard lock(mutex_);
    asked_.swap(asked);
  }
  void tell(Came came) {
    const std::lock_guard lock(mutex_);
    if (came.what == Came::What::beat && !beats_) return;
    came_.push_back(std::move(came));
    if (came_.size() > 1 || !wake_) return;
    arrived_.notify_one();
    wake_();
  }
  bool detached() {
    const std::lock_guard lock(mutex_);
    return !wake_;
  }

 private:
  const bool first_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::function<void()> wake_;
  const std::function<void()> wake_thread_;
  std::vector<Asked> asked_;
  std::vector<Came> came_;
  bool beats_ = false;
};

}  // namespace peal::redis_store
