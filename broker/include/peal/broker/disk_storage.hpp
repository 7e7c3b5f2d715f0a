#pragma once
// Logs on the disk: one folder of a process, shared by the stores of its cores, whichever of them a
// channel is at home in. What was acknowledged survives a kill, a crash of the machine and a full
// disk; see docs/operations.md for what one has to do. Opened before the cores and closed after
// them. Start it after the process has blocked its signals: it has threads.

#include <memory>
#include <string>

#include "peal/broker/log_store.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {
class ConfigSchema;
class Logger;
}  // namespace peal::runtime

namespace peal::broker {

struct StoreConfig {
  /// "memory", "disk" or "redis".
  std::string driver = "memory";
  /// Empty: a folder of the process's name in $XDG_STATE_HOME/peal or /var/lib/peal.
  std::string path{};
  /// Read the whole store at start and check its checksums.
  bool verify = true;
};
void describe(runtime::ConfigSchema& schema, StoreConfig& config);
/// Gives an empty path its default and refuses other drivers; touches no file.
Result<void> complete(StoreConfig& config, const std::string& process_name);

class DiskStorage {
 public:
  /// The error says what to do. `probes` outlives it.
  static Result<std::unique_ptr<DiskStorage>> open(const StoreConfig& config, const Limits& limits,
                                                   const runtime::Logger& logger,
                                                   runtime::ProbeRegistry& probes);
  ~DiskStorage();

  /// For each core; the stores end before the storage.
  MakeLogStore maker();
  /// Any thread: empty, or why publishes to channels with a log are refused.
  std::string trouble() const;

 private:
  struct Impl;
  explicit DiskStorage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::broker
