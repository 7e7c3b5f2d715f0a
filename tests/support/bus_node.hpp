#pragma once
// One shard as the bus sees it: a thread that turns a port when it is woken, and a sink that keeps
// what it hears. The sink and the port are touched with the node's lock held only: `with` runs on
// the caller's thread in between two turns, so a test calls the port and looks at what was heard
// from there.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "peal/bus/bus_port.hpp"
#include "recording_sink.hpp"

namespace peal::bus::test {

class BusNode final : public Waker {
 public:
  /// Longer than anything a test waits for takes on a busy machine under a sanitizer.
  static constexpr std::chrono::seconds kPatience{60};

  explicit BusNode(std::unique_ptr<RecordingSink> sink = std::make_unique<RecordingSink>())
      : sink_(std::move(sink)) {}
  ~BusNode() override { stop(); }

  RecordingSink& sink() { return *sink_; }

  /// Starts the thread; the port has been attached.
  void start(BusPort& port) {
    port_ = &port;
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    {
      const std::lock_guard lock(wake_mutex_);
      stopping_ = true;
    }
    wake_changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void wake() noexcept override {
    {
      const std::lock_guard lock(wake_mutex_);
      woken_ = true;
    }
    wake_changed_.notify_one();
  }

  /// Calls `use(port, sink)` between two turns; a turn follows.
  template <class Use>
  auto with(Use&& use) {
    struct WakeAtEnd {
      BusNode& node;
      ~WakeAtEnd() { node.wake(); }
    } wake_at_end{*this};
    const std::lock_guard lock(mutex_);
    return use(*port_, *sink_);
  }
  void watch(Alias alias, std::string_view channel) {
    with([&](BusPort& port, auto&) { port.watch(alias, channel); });
  }
  void unwatch(Alias alias) {
    with([&](BusPort& port, auto&) { port.unwatch(alias); });
  }
  void publish(std::string_view channel, std::string_view payload, RequestId id = 0) {
    with([&](BusPort& port, auto&) { port.publish(publish_request(channel, payload, id)); });
  }

  /// Whether what was heard satisfies the predicate in time.
  bool heard(const std::function<bool(const RecordingSink&)>& predicate,
             std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    return turned_.wait_for(lock, patience, [&] { return predicate(*sink_); });
  }

 private:
  void run() {
    for (bool more = true;;) {
      {
        std::unique_lock lock(wake_mutex_);
        // A shard's own clock turns it now and then, also when nobody wakes it.
        if (!more)
          wake_changed_.wait_for(lock, std::chrono::milliseconds(100),
                                 [this] { return woken_ || stopping_; });
        woken_ = false;
        if (stopping_) return;
      }
      const std::lock_guard lock(mutex_);
      more = port_->turn();
      turned_.notify_all();
    }
  }

  std::unique_ptr<RecordingSink> sink_;
  BusPort* port_ = nullptr;
  std::thread thread_;

  std::mutex mutex_;  ///< of the port and the sink
  std::condition_variable turned_;
  std::mutex wake_mutex_;
  std::condition_variable wake_changed_;
  bool woken_ = false;
  bool stopping_ = false;
};

}  // namespace peal::bus::test
