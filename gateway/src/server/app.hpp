#pragma once
// The process peal-gateway: wires config, process, gateway and control socket together, top-down,
// and says how its life goes. Ready: the listener is bound and the bus linked. Draining: not ready
// at once, after a tenth of drain_time no new clients, and the old ones are closed over the rest.
// SIGHUP: rules, keys and certificate are read again; what is wrong with them is logged and the old
// ones stay.
//   Signals and internal listener: Process. Clients: Gateway's shards. Control: its own thread.

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "peal/runtime/control.hpp"
#include "peal/runtime/probe.hpp"
#include "peal/runtime/process.hpp"
#include "peal/runtime/reloader.hpp"
#include "server/about_probe.hpp"
#include "server/app_config.hpp"
#include "server/balancer.hpp"

namespace peal::gateway {

class App {
 public:
  using Source = runtime::ConfigSource<AppConfig>;
  App(AppConfig config, std::shared_ptr<runtime::LogBackend> backend, Source source = {});
  ~App();

  /// Starts all, waits for the end; the exit code.
  int run();

 private:
  Result<void> start();
  runtime::ProcessCallbacks callbacks();
  void drain();
  void reload();
  std::string why_not_ready() const;
  std::string stats_members() const;

  AppConfig config_;
  const Source source_;
  std::atomic<bool> started_{
      false};  ///< the members below are there for the internal listener's thread
  std::shared_ptr<runtime::LogBackend> backend_;
  runtime::Logger logger_;
  runtime::ProbeRegistry probes_;
  runtime::Reloader reloader_;
  runtime::Process process_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<AboutProbe> about_;
  std::unique_ptr<Balancer> balancer_;
  std::unique_ptr<runtime::ControlServer> control_;
  std::jthread drainer_;  ///< waits for the balancer, then starts the gateway's drain
};

/// What main does: config from the arguments and the environment, then the App.
int run_gateway(int argc, char** argv);

}  // namespace peal::gateway
