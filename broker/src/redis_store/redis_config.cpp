// RedisStoreConfig: keys and checks.
#include "peal/broker/redis_storage.hpp"
#include "peal/runtime/config.hpp"

namespace peal::broker {

/// Slots of a Cluster: more partitions than that share them.
constexpr std::size_t kPartitionsMax = 16'384;

void describe(runtime::ConfigSchema& schema, RedisStoreConfig& config) {
  redis::describe(schema, config.client);
  schema.field("redis.partitions", config.partitions,
               "parts that the channels are in, for a Cluster to share; said once per Redis");
  schema.field("redis.wait_replicas", config.wait_replicas,
               "replicas that must have an append before it is acknowledged; else: unknown");
  schema.field("redis.wait_timeout", config.wait_timeout, "how long they are waited for");
}

std::string place_of(const RedisStoreConfig& config) {
  std::string place = "redis, " + config.client.mode;
  for (const std::string& address : config.client.addresses)
    place += ' ' + address;
  return place;
}

Result<void> complete(RedisStoreConfig& config) {
  if (config.partitions == 0 || config.partitions > kPartitionsMax) {
    return fail(ErrorCode::config_invalid, "redis.partitions: 1 to 16384");
  }
  if (config.wait_replicas > 0 && (config.wait_timeout <= std::chrono::milliseconds(0) ||
                                   config.wait_timeout >= config.client.command_timeout)) {
    return fail(ErrorCode::config_invalid,
                "redis.wait_timeout: must be above 0 and below redis.command_timeout");
  }
  return redis::complete(config.client);
}

}  // namespace peal::broker
