#pragma once
// The process peal-monitor-postgres: wires config, process, the monitor's thread and the control
// socket together, top-down. Ready: the database and the broker are reached, active or standing by.
// Draining: not ready at once, what is under way is ended, end.

#include <atomic>
#include <memory>

#include "peal/runtime/control.hpp"
#include "peal/runtime/probe.hpp"
#include "peal/runtime/process.hpp"
#include "postgres/monitor_config.hpp"
#include "postgres/monitor_loop.hpp"

namespace peal::monitor {

class App {
 public:
  App(MonitorConfig config, std::shared_ptr<runtime::LogBackend> backend);
  ~App();

  /// Starts all, waits for the end; the exit code.
  int run();

 private:
  Result<void> start();
  runtime::ProcessCallbacks callbacks();
  void drain();

  const MonitorConfig config_;
  const std::shared_ptr<runtime::LogBackend> backend_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry probes_;
  runtime::Process process_;
  std::unique_ptr<MonitorLoop> loop_;
  runtime::ControlServer control_;
  std::atomic<bool> started_{false};
  std::atomic<bool> hopeless_{false};
};

/// What main does: config from the arguments and the environment, then a dry run or the App.
int run_monitor(int argc, char** argv);

}  // namespace peal::monitor
