#include "postgres/monitor_loop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "postgres/logical_reader.hpp"
#include "postgres/notify_reader.hpp"
#include "postgres/outbox_reader.hpp"

namespace peal::monitor {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPauseMin{100};
constexpr milliseconds kPauseMax{5000};
/// It never waits longer than a second without a turn.
constexpr milliseconds kHealthyFor{5000};
/// After the end was asked for: a batch that is under way may be acknowledged and ended, so that on
/// channels without a log nothing comes twice.
constexpr milliseconds kLastBatchMax{5000};

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

void signal(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

/// The configuration has been checked, so the rules compile.
std::unique_ptr<SourceReader> make_reader(const MonitorConfig& config, Waiter& waiter,
                                          const runtime::Logger& logger, MonitorProbe& probe) {
  if (config.mode == "notify") return std::make_unique<NotifyReader>(config, waiter, logger, probe);
  if (config.mode == "logical") {
    return std::make_unique<LogicalReader>(config, *Rules::compile(config.rule_list()), waiter,
                                           logger, probe);
  }
  return std::make_unique<OutboxReader>(config, *Rules::compile(config.rule_list()), waiter, logger,
                                        probe);
}

}  // namespace

MonitorLoop::MonitorLoop(const MonitorConfig& config, const runtime::Logger& logger,
                         runtime::ProbeRegistry& probes,
                         std::function<void(const Error&)> on_hopeless)
    : config_(config),
      logger_(logger),
      probes_(probes),
      on_hopeless_(std::move(on_hopeless)),
      probe_handle_(probes.add(probe_)),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      stop_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      publisher_("", config.under_way_bytes_max, *this),
      reader_(make_reader(config, *this, logger, probe_)),
      random_(std::random_device{}()) {
  reader_->publish_over(publisher_);
}

MonitorLoop::~MonitorLoop() {
  stop();
  ::close(wake_fd_);
  ::close(stop_fd_);
}

Result<void> MonitorLoop::start() {
  auto made = bus::make_zmq_bus(config_.bus, config_.limits, logger_, probes_);
  if (!made) return made.error();
  bus_ = std::move(*made);
  port_ = &bus_->attach(publisher_, *this);
  publisher_.attach(*port_);
  if (auto started = bus_->start(); !started) return started;
  tick();
  thread_ = std::thread([this] { run(); });
  return {};
}

bool MonitorLoop::hurried() const {
  if (!stopping_) return false;
  return std::string_view(state()) != "active" || now_ms() >= hurry_at_ms_;
}

void MonitorLoop::stop() {
  hurry_at_ms_ = now_ms() + kLastBatchMax.count();
  stopping_ = true;
  signal(stop_fd_);
  if (thread_.joinable()) thread_.join();
}

void MonitorLoop::wake() noexcept {
  signal(wake_fd_);
}

void MonitorLoop::tick() {
  last_tick_ms_ = now_ms();
}

bool MonitorLoop::healthy() const {
  return now_ms() - last_tick_ms_.load() < kHealthyFor.count();
}

std::string MonitorLoop::why_not_ready() const {
  if (!linked_.load()) return "the broker is not reached";
  const std::lock_guard lock(trouble_mutex_);
  if (std::string_view(state()) == "connecting")
    return trouble_.empty() ? "the database is not reached yet" : trouble_;
  return {};
}

void MonitorLoop::send() {
  publisher_.send(Clock::now());
  while (port_->turn())
    publisher_.send(Clock::now());
}

void MonitorLoop::wait(int fd, short events, Publisher::Time until) {
  tick();
  const bool more = port_->turn();
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
  const int timeout =
      more ? 0 : static_cast<int>(std::clamp(left, milliseconds(0), milliseconds(1000)).count());
  pollfd fds[] = {{wake_fd_, POLLIN, 0}, {stopping_ ? -1 : stop_fd_, POLLIN, 0}, {fd, events, 0}};
  ::poll(fds, 3, timeout);
  std::uint64_t wakes = 0;
  [[maybe_unused]] const auto read = ::read(wake_fd_, &wakes, sizeof wakes);
  port_->turn();
}

void MonitorLoop::on_link(bool linked, const std::string& detail) {
  if (linked != linked_.exchange(linked)) {
    logger_.info(linked ? "linked to the broker" : "the broker is gone", {{"detail", detail}});
  }
  probe_.linked(linked);
}

void MonitorLoop::run() {
  while (!stopping_) {
    const auto began = Clock::now();
    const Error error = reader_->session();
    if (stopping_) break;
    if (!session_ended(error, Clock::now() - began >= kPauseMax)) {
      on_hopeless_(error);
      break;
    }
    const auto until = Clock::now() + pause_ / 2 + pause_ * (random_() % 1000) / 2000;
    while (!stopping_ && Clock::now() < until)
      wait(-1, 0, until);
  }
  bus_->stop();
  port_->turn();
}

bool MonitorLoop::session_ended(const Error& error, bool lasted) {
  const bool temporary = error.temporary();
  const bool lost = probe_.sessions() != sessions_;
  if (lost && lasted) pause_ = milliseconds(0);
  sessions_ = probe_.sessions();
  if (!temporary && sessions_ == 0) return false;
  if (lost) probe_.connection_lost();
  pause_ = std::clamp(pause_ * 2, kPauseMin, kPauseMax);
  bool other = false;
  {
    const std::lock_guard lock(trouble_mutex_);
    other = trouble_ != error.message;
    trouble_ = error.message;
  }
  if (other || pause_ == kPauseMax || pause_ == kPauseMin) {
    logger_.log(temporary ? runtime::LogLevel::warn : runtime::LogLevel::error,
                "no session with the database", {{"reason", error.message}});
  }
  return true;
}

}  // namespace peal::monitor
