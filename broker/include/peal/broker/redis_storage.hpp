#pragma once
// Logs in Redis, where other gateways and brokers meet them: one client and its thread for a
// process, shared by the stores of its cores. What was acknowledged is as safe as Redis keeps it;
// docs/operations.md says what that is. Opened before the cores and closed after them. Redis
// needn't be there at start: until it is, publishes are refused and trouble() says why. Start it
// after the process has blocked its signals: it has a thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "peal/broker/cluster_relay.hpp"
#include "peal/broker/log_store.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"
#include "peal/redis/config.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {
class ConfigSchema;
class Logger;
}  // namespace peal::runtime

namespace peal::broker {

struct RedisStoreConfig {
  redis::Config client{};
  /// How many parts the channels are in: the most Cluster slots that can share the work. Said once,
  /// by the first who comes to an empty Redis, and checked by everybody after.
  std::size_t partitions = 64;
  /// Replicas that must have an append before it is acknowledged (WAIT), and for how long that is
  /// waited for; fewer: its outcome is unknown.
  std::size_t wait_replicas = 0;
  std::chrono::milliseconds wait_timeout{1000};
};
void describe(runtime::ConfigSchema& schema, RedisStoreConfig& config);
Result<void> complete(RedisStoreConfig& config);
/// For a person: which Redis that is.
std::string place_of(const RedisStoreConfig& config);

class RedisStorage {
 public:
  /// For tests: how far a core's clock is ahead of Redis's.
  using Ahead = std::function<std::chrono::milliseconds(TimePoint now)>;

  /// `probes` outlives it.
  static std::unique_ptr<RedisStorage> open(const RedisStoreConfig& config,
                                            const runtime::Logger& logger,
                                            runtime::ProbeRegistry& probes, Ahead ahead = {});
  ~RedisStorage();

  /// For each core; the stores end before the storage.
  MakeLogStore maker();
  /// For a gateway of that name, at most once: it and the others that meet there ask each other. It
  /// may outlive the storage, and then refuses.
  std::shared_ptr<ClusterRelay> relay(std::string name, const Limits& limits);
  /// Any thread: empty, or why Redis can't be used.
  std::string trouble() const;

 private:
  struct Impl;
  explicit RedisStorage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::broker
