#include "peal/runtime/process.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "internal_listener.hpp"
#include "peal/proto/json.hpp"
#include "peal/runtime/descriptors.hpp"
#include "peal/runtime/version.hpp"
#include "process_probe.hpp"
#include "ready_file.hpp"
#include "service_manager.hpp"

// The loop in `run`:
//
//   starting --ready()--> ready <--> not ready --signal--> leaving --drain_delay--> draining
//   draining --drained()--> stopped (0)
//   leaving or draining --second signal, or drain_time over--> hurried
//   hurried --drained()--> stopped (0), --kHurryGrace--> stopped (1)

namespace peal::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kReadyPollStarting{25};
constexpr milliseconds kReadyPoll{500};
constexpr milliseconds kDrainGrace{1000};
constexpr milliseconds kHurryGrace{3000};

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, number);
  return set;
}

void put_member(std::string& json, std::string_view name, std::string_view text) {
  json += json.size() > 1 ? "," : "";
  append_json_text(json, name);
  json += ':';
  append_json_text(json, text);
}

}  // namespace

struct Process::Impl {
  enum class State : std::uint8_t { starting, ready, not_ready, leaving, draining, hurried };

  Impl(ProcessConfig with, ProbeRegistry& registry, Logger say)
      : config(std::move(with)),
        logger(std::move(say)),
        ready_file(config.ready_file),
        probe_handle(registry.add(probe)),
        probes(registry) {}

  ~Impl() {
    listener.stop();
    if (signals < 0) return;
    discard_signals();
    close(signals);
    close(wake);
    pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  }

  Result<void> open_descriptors();
  InternalAnswer answer(std::string_view path) const;
  std::string version_json() const;
  void refresh_readiness();
  void became_ready();
  void on_signal(int number);
  void discard_signals();
  void leave();
  void start_drain();
  void on_deadline();
  void hurry(std::string_view why);
  void wait(Clock::time_point until);
  Clock::time_point next_deadline() const;

  ProcessConfig config;
  Logger logger;
  ProcessCallbacks callbacks;
  ReadyFile ready_file;
  ProcessProbe probe;
  std::shared_ptr<void> probe_handle;
  ProbeRegistry& probes;
  InternalListener listener;
  ServiceManager manager;
  std::string internal_address;
  sigset_t mask_before{};
  int signals = -1;
  int wake = -1;

  // Only the thread in `run`.
  State state = State::starting;
  Clock::time_point deadline;  ///< of the state draining or hurried
  std::string not_ready_why;
  bool gave_up = false;
  bool signalled = false;  ///< SIGTERM or SIGINT has come

  // Any thread.
  std::atomic<bool> drain_wanted{false};
  std::atomic<bool> draining{false};
  std::atomic<bool> drained{false};
};

Result<void> Process::Impl::open_descriptors() {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, &mask_before);
  signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (signals >= 0 && wake >= 0) return {};
  return fail(ErrorCode::internal_error,
              "no file descriptor for signals: " + std::generic_category().message(errno));
}

std::string Process::Impl::version_json() const {
  std::string json = "{";
  put_member(json, "version", version());
  put_member(json, "name", config.name);
  return json + ",\"pid\":" + std::to_string(getpid()) + "}\n";
}

InternalAnswer Process::Impl::answer(std::string_view path) const {
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", probes.text()};
  if (path == "/version") return {200, "application/json", version_json()};
  if (path == "/healthz") {
    const bool healthy = !callbacks.healthy || callbacks.healthy();
    return {healthy ? 200U : 503U, "text/plain", healthy ? "ok\n" : "a loop does not tick\n"};
  }
  if (path == "/readyz") {
    if (draining.load()) return {503, "text/plain", "draining\n"};
    const std::string why = callbacks.ready ? callbacks.ready() : std::string();
    return {why.empty() ? 200U : 503U, "text/plain", (why.empty() ? "ok" : why) + "\n"};
  }
  return {404, "text/plain", "/healthz /readyz /metrics /version\n"};
}

void Process::Impl::became_ready() {
  if (state == State::starting) {
    std::string json = "{\"pid\":" + std::to_string(getpid());
    put_member(json, "name", config.name);
    put_member(json, "internal", internal_address);
    const std::string more = callbacks.ready_members ? callbacks.ready_members() : std::string();
    if (!more.empty()) json += "," + more;
    if (const auto written = ready_file.write(json + "}\n"); !written) {
      logger.error(written.error().message);
    }
  }
  manager.status("ready");
  logger.info("ready", {{"name", config.name}, {"internal", internal_address}});
  state = State::ready;
}

void Process::Impl::refresh_readiness() {
  const std::string why = callbacks.ready ? callbacks.ready() : std::string();
  if (why.empty()) {
    if (state != State::ready) became_ready();
  } else if (state == State::ready || why != not_ready_why) {
    logger.warn("not ready", {{"reason", why}});
    manager.status("not ready: " + why);
    if (state == State::ready) state = State::not_ready;
  }
  not_ready_why = why;
}

void Process::Impl::leave() {
  if (state >= State::leaving) return;
  draining.store(true);
  ready_file.remove();
  manager.stopping();
  manager.status("draining");
  if (config.drain_delay.count() == 0) return start_drain();
  state = State::leaving;
  deadline = Clock::now() + config.drain_delay;
  logger.info("leaving", {{"drain_delay_ms", config.drain_delay.count()}});
}

void Process::Impl::start_drain() {
  state = State::draining;
  deadline = Clock::now() + config.drain_time + kDrainGrace;
  logger.info("draining", {{"drain_time_ms", config.drain_time.count()}});
  if (callbacks.drain) {
    callbacks.drain();
  } else {
    drained.store(true);
  }
}

void Process::Impl::hurry(std::string_view why) {
  if (state == State::hurried) return;
  state = State::hurried;
  deadline = Clock::now() + kHurryGrace;
  logger.warn("hurrying", {{"reason", why}});
  if (callbacks.hurry) {
    callbacks.hurry();
  } else {
    drained.store(true);
  }
}

void Process::Impl::on_signal(int number) {
  if (number == SIGHUP) {
    logger.info(callbacks.reload ? "reloading" : "SIGHUP: there is nothing to reload");
    if (callbacks.reload) callbacks.reload();
  } else if (std::exchange(signalled, true)) {
    hurry("a second signal");
  } else {
    leave();  // no more than it does already when it was told by the control socket
  }
}

void Process::Impl::on_deadline() {
  switch (state) {
    case State::leaving:
      return start_drain();
    case State::draining:
      return hurry("drain_time is over");
    case State::hurried:
      gave_up = true;
      break;
    default:
      break;
  }
}

void Process::Impl::discard_signals() {
  signalfd_siginfo signal{};
  while (read(signals, &signal, sizeof signal) == sizeof signal) {
  }
}

Clock::time_point Process::Impl::next_deadline() const {
  switch (state) {
    case State::starting:
      return Clock::now() + kReadyPollStarting;
    case State::ready:
    case State::not_ready:
      return Clock::now() + kReadyPoll;
    default:
      return deadline;
  }
}

void Process::Impl::wait(Clock::time_point until) {
  std::array<pollfd, 2> entries{{{signals, POLLIN, 0}, {wake, POLLIN, 0}}};
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
  if (poll(entries.data(), entries.size(), static_cast<int>(std::max<long>(left, 0))) <= 0) return;
  std::uint64_t ignored = 0;
  while (read(wake, &ignored, sizeof ignored) > 0) {
  }
  signalfd_siginfo signal{};
  while (read(signals, &signal, sizeof signal) == sizeof signal) {
    on_signal(static_cast<int>(signal.ssi_signo));
  }
}

Process::Process(ProcessConfig config, ProbeRegistry& probes, Logger logger)
    : impl_(std::make_unique<Impl>(std::move(config), probes, std::move(logger))) {}
Process::~Process() = default;

Result<void> Process::start(ProcessCallbacks callbacks) {
  Impl& self = *impl_;
  if (const auto completed = complete(self.config); !completed) return completed.error();
  self.callbacks = std::move(callbacks);
  if (const auto opened = self.open_descriptors(); !opened) return opened.error();
  if (const auto prepared = self.ready_file.prepare(); !prepared) return prepared.error();
  if (self.config.internal_listen == "off" || self.config.internal_listen.empty()) return {};
  const auto address = Address::parse(self.config.internal_listen);
  if (!address) return address.error();
  const auto bound =
      self.listener.start(*address, [&self](std::string_view path) { return self.answer(path); });
  if (!bound) return bound.error();
  self.internal_address = bound->to_string();
  return {};
}

int Process::run() {
  Impl& self = *impl_;
  self.manager.started();
  while (!self.drained.load() && !self.gave_up) {
    if (self.drain_wanted.load()) self.leave();
    if (self.state < Impl::State::leaving) {
      self.refresh_readiness();
    } else if (Clock::now() >= self.deadline) {
      self.on_deadline();
    }
    if (!self.drained.load() && !self.gave_up) self.wait(self.next_deadline());
  }
  const int exit_code = self.drained.load() ? 0 : 1;
  if (exit_code != 0) self.logger.error("gave up waiting for the last sessions");
  self.ready_file.remove();
  self.listener.stop();
  self.logger.info("stopped", {{"exit_code", exit_code}});
  return exit_code;
}

void Process::begin_drain() {
  impl_->drain_wanted.store(true);
  if (impl_->wake >= 0) eventfd_write(impl_->wake, 1);
}

void Process::drained() {
  impl_->drained.store(true);
  if (impl_->wake >= 0) eventfd_write(impl_->wake, 1);
}

bool Process::draining() const {
  return impl_->draining.load();
}
std::string Process::internal_address() const {
  return impl_->internal_address;
}

}  // namespace peal::runtime
