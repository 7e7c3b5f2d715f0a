#pragma once
// The process peal-broker: wires config, process, broker thread and control socket together,
// top-down. Ready: the bus socket is bound and its thread turns. Draining: not ready at once, links
// are told, end. SIGHUP: the channel rules are read again; what is wrong changes nothing.
//   Signals and internal listener: Process. Bus: BrokerLoop's thread. Control and ingest: their
//   own.

#include <atomic>
#include <memory>

#include "peal/broker/disk_storage.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/probe.hpp"
#include "peal/runtime/process.hpp"
#include "peal/runtime/reloader.hpp"
#include "server/broker_config.hpp"
#include "server/broker_loop.hpp"

namespace peal::broker {

class App {
 public:
  using Source = runtime::ConfigSource<BrokerConfig>;
  App(BrokerConfig config, std::shared_ptr<runtime::LogBackend> backend, Source source);
  ~App();

  /// Starts all, waits for the end; the exit code.
  int run();

 private:
  Result<void> start();
  Result<void> start_loop();
  std::string why_not_ready() const;
  runtime::ProcessCallbacks callbacks();
  std::string ready_members() const;
  void drain();
  void reload();

  const BrokerConfig config_;
  const Source source_;
  const std::shared_ptr<runtime::Replaceable<BrokerConfig::Rules>> rules_;
  const std::shared_ptr<runtime::LogBackend> backend_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry probes_;
  runtime::Reloader reloader_;
  runtime::Process process_;
  // They outlive the loop, whose core has its store in one of them.
  std::unique_ptr<DiskStorage> storage_;
  std::unique_ptr<RedisStorage> redis_;
  std::unique_ptr<BrokerLoop> loop_;  ///< made by `start`
  runtime::ControlServer control_;
  std::atomic<bool> started_{false};
};

/// What main does: config from the arguments and the environment, then the App.
int run_broker(int argc, char** argv);

}  // namespace peal::broker
