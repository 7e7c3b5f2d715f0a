#pragma once
// The thread of a Redis monitor: a reader for each source, and their ports of the bus, in one
// io_context. Everything belongs to it, but for what the process asks.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "process/app.hpp"
#include "redis/redis_reader.hpp"

namespace peal::monitor {

class RedisLoop final : public MonitorRunner, private bus::Waker {
 public:
  /// The configuration has been checked.
  RedisLoop(const RedisMonitorConfig& config, const runtime::Logger& logger,
            runtime::ProbeRegistry& probes);
  ~RedisLoop() override;

  Result<void> start() override;
  void stop() override;
  bool healthy() const override;
  std::string why_not_ready() const override;
  const char* state() const override { return state_.load(); }

 private:
  void wake() noexcept override;
  void turn();
  void beat();
  void tell();
  void end();

  const RedisMonitorConfig& config_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry& probes_;
  MonitorProbe probe_;
  std::shared_ptr<void> probe_handle_;
  boost::asio::io_context context_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<RedisReader>> readers_;
  std::unique_ptr<bus::Bus> bus_;
  std::thread thread_;
  std::chrono::steady_clock::time_point end_by_{};  ///< once stopping

  // Any thread:
  std::atomic<bool> turning_{false};  ///< posted, and not begun
  std::atomic<bool> stopping_{false};
  std::atomic<const char*> state_{"connecting"};
  std::atomic<std::int64_t> last_beat_ms_{0};
  mutable std::mutex mutex_;
  std::string trouble_ = "starting";
};

}  // namespace peal::monitor
