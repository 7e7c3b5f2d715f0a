#pragma once
// The life of a process, alike for every one: starting -> ready <-> not ready -> draining ->
// stopped. Owns the signals (SIGTERM, SIGINT: drain; a second one: hurry; SIGHUP: reload), the
// internal HTTP listener (/healthz /readyz /metrics /version) and the ready file. The App gives it
// callbacks; they run on the thread that called `run`.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peal/proto/result.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {

struct ProcessConfig {
  std::string name;                              ///< node name; empty: host-pid
  std::string internal_listen;                   ///< "127.0.0.1:8421", "off"
  std::string ready_file;                        ///< written (atomically) when first ready
  std::chrono::milliseconds drain_delay{0};      ///< not ready, but serving: a balancer notices
  std::chrono::milliseconds drain_time{10'000};  ///< from the first signal to the last session
  std::string log_level = "info";
  std::string log_format = "text";
};
class ConfigSchema;
void describe(ConfigSchema& schema, ProcessConfig& config);
/// Gives an empty name its default; refuses names, levels, formats and addresses that cannot be.
Result<void> complete(ProcessConfig& config);

struct LoadedConfig;
/// Prints what loading the configuration wants printed; null: go on, else the exit code.
std::optional<int> said_and_done(const LoadedConfig& loaded);
/// The process's log, with the configuration's warnings in it.
std::shared_ptr<LogBackend> log_of(const ProcessConfig& config, const LoadedConfig& loaded);

/// What the App does when the process's life moves on.
struct ProcessCallbacks {
  std::function<void()> drain;         ///< start draining; call Process::drained() when done
  std::function<void()> hurry;         ///< second signal: end at once
  std::function<void()> reload;        ///< SIGHUP
  std::function<bool()> healthy;       ///< any thread: does every loop tick? (for /healthz)
  std::function<std::string()> ready;  ///< any thread: empty when traffic may come, else why not
  /// Further members for the ready file, as JSON members: "\"listen\":\"127.0.0.1:8420\"".
  std::function<std::string()> ready_members;
};

class Process {
 public:
  Process(ProcessConfig config, ProbeRegistry& probes, Logger logger);
  ~Process();

  /// Binds the internal listener (an error names address and reason), raises the limit of open
  /// files. Blocks the signals: call before any thread is made.
  Result<void> start(ProcessCallbacks callbacks);
  /// Waits for signals until drained or hurried; returns the exit code.
  int run();
  void begin_drain();  ///< any thread: as if SIGTERM had come
  void drained();      ///< any thread
  bool draining() const;
  std::string internal_address() const;  ///< as bound

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::runtime
