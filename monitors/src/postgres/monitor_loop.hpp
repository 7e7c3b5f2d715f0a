#pragma once
// The monitor's thread: the source's connection, the publisher and its bus port, in turns. A
// session with the source that ends is begun again after a pause that grows, with jitter; what no
// retry helps against ends the process when it is met before the first session was good, and is
// said again and again after that.
//   starting -> (connecting -> standby -> active)* -> stopped

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "peal/bus/bus_port.hpp"
#include "postgres/source_reader.hpp"
#include "process/app.hpp"

namespace peal::monitor {

class MonitorLoop final : public MonitorRunner,
                          private Waiter,
                          private PublisherOut,
                          private bus::Waker {
 public:
  /// `on_hopeless` is called at most once, on the thread, with what no retry helps against.
  MonitorLoop(const MonitorConfig& config, const runtime::Logger& logger,
              runtime::ProbeRegistry& probes, std::function<void(const Error&)> on_hopeless);
  ~MonitorLoop() override;

  Result<void> start() override;
  void stop() override;
  bool healthy() const override;
  std::string why_not_ready() const override;
  const char* state() const override { return reader_->state(); }

 private:
  void wait(int fd, short events, Publisher::Time until) override;
  bool stopping() const override { return stopping_.load(); }
  bool hurried() const override;
  void send() override;
  void on_done(const Done& done) override { reader_->on_done(done); }
  void on_link(bool linked, const std::string& detail) override;
  void wake() noexcept override;

  void run();
  void tick();
  /// False: it is hopeless. One that did not last makes the next pause longer all the same.
  bool session_ended(const Error& error, bool lasted);

  const MonitorConfig& config_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry& probes_;
  const std::function<void(const Error&)> on_hopeless_;
  MonitorProbe probe_;
  std::shared_ptr<void> probe_handle_;
  int wake_fd_;
  int stop_fd_;
  Publisher publisher_;
  std::unique_ptr<SourceReader> reader_;
  std::unique_ptr<bus::Bus> bus_;
  bus::BusPort* port_ = nullptr;
  std::thread thread_;

  // The thread's:
  std::mt19937 random_;
  std::chrono::milliseconds pause_{0};
  std::uint64_t sessions_ = 0;  ///< that became active, as far as was seen

  // Any thread:
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> hurry_at_ms_{0};  ///< once stopping
  std::atomic<bool> linked_{false};
  std::atomic<std::int64_t> last_tick_ms_{0};
  mutable std::mutex trouble_mutex_;
  std::string trouble_;  ///< why the source is not reached
};

}  // namespace peal::monitor
