#pragma once
// A monitor as a process: wires process, control socket and the thread that reads the source
// together, top-down. Ready: the source and the broker are reached, active or standing by.
// Draining: not ready at once, what is under way is ended, end.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peal/runtime/config.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/probe.hpp"
#include "peal/runtime/process.hpp"

namespace peal::monitor {

/// The thread (or threads) that read a source and publish. Questions come from any thread.
class MonitorRunner {
 public:
  virtual ~MonitorRunner() = default;
  virtual Result<void> start() = 0;
  /// Ends what is under way, at most for some seconds, and joins.
  virtual void stop() = 0;
  virtual bool healthy() const = 0;
  virtual std::string why_not_ready() const = 0;  ///< a standby is ready
  virtual const char* state() const = 0;          ///< "connecting", "standby", "active"
};

struct AppConfig {
  std::string source;  ///< "postgres", "redis"
  runtime::ProcessConfig process;
  runtime::ControlConfig control;
  Limits limits;
};

class App {
 public:
  /// What no retry helps against is told by the runner, at most once; it ends the process.
  using OnHopeless = std::function<void(const Error&)>;
  using MakeRunner = std::function<std::unique_ptr<MonitorRunner>(
      const runtime::Logger&, runtime::ProbeRegistry&, OnHopeless)>;

  App(AppConfig config, std::shared_ptr<runtime::LogBackend> backend, MakeRunner make_runner);
  ~App();

  /// Starts all, waits for the end; the exit code.
  int run();

 private:
  Result<void> start();
  runtime::ProcessCallbacks callbacks();
  void drain();

  const AppConfig config_;
  const std::shared_ptr<runtime::LogBackend> backend_;
  const runtime::Logger logger_;
  const MakeRunner make_runner_;
  runtime::ProbeRegistry probes_;
  runtime::Process process_;
  std::unique_ptr<MonitorRunner> runner_;
  runtime::ControlServer control_;
  std::atomic<bool> started_{false};
  std::atomic<bool> hopeless_{false};
};

}  // namespace peal::monitor
