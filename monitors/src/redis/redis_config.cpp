#include "redis/redis_config.hpp"

#include <set>

#include "redis/stream_rule.hpp"

namespace peal::monitor {

void describe(runtime::ConfigSchema& schema, RedisMonitorConfig& config) {
  if (config.process.internal_listen.empty()) config.process.internal_listen = "127.0.0.1:8425";
  if (config.bus.connect.empty()) config.bus.connect = {"tcp://127.0.0.1:8422"};
  runtime::describe(schema, config.process);
  schema.field("monitor.name", config.name,
               "monitors of one name are one: one reads a stream, the others stand by");
  schema.field("monitor.batch_entries_max", config.batch_entries_max,
               "entries that are read at once");
  redis::describe(schema, config.redis);
  schema.field("bus.connect", config.bus.connect, "the broker's endpoint");
  schema.field("bus.cluster", config.bus.cluster, "name of the cluster; both sides must agree");
  schema.field("bus.under_way_bytes_max", config.under_way_bytes_max,
               "bytes that are published and not acknowledged");
  runtime::describe(schema, config.control);
  runtime::describe(schema, config.limits);
  schema.array(
      "streams",
      [&config](runtime::ConfigSchema& entry) {
        StreamConfig& stream = config.streams.emplace_back();
        entry.field("stream", stream.stream, "the stream's key in Redis");
        entry.field("channel", stream.channel,
                    "where its entries ring: a text with {field}, {$id}");
        entry.field("key", stream.key, "the publication's key, likewise");
        entry.field("payload", stream.payload,
                    "JSON with placeholders; empty: an object of the entry's fields");
        entry.field("from", stream.from,
                    "where to begin when nothing was read yet: new (what comes) or start");
        entry.field("reset", stream.reset,
                    "the channel that is told when entries were missed; empty: channel");
      },
      "streams, and where their entries ring");
}

Result<void> complete(RedisMonitorConfig& config) {
  if (auto done = runtime::complete(config.process); !done) return done;
  if (auto good = runtime::validate(config.limits); !good) return good;
  if (auto done = runtime::complete(config.control.curve); !done) return done;
  if (auto done = redis::complete(config.redis); !done) return done;
  config.bus.node = config.process.name;
  config.bus.curve = config.control.curve;
  config.bus.insecure = config.control.insecure;
  if (config.batch_entries_max == 0 || config.under_way_bytes_max == 0) {
    return fail(ErrorCode::config_invalid,
                "monitor.batch_entries_max and bus.under_way_bytes_max are above 0");
  }
  if (config.name.empty()) return fail(ErrorCode::config_invalid, "monitor.name is empty");
  if (config.streams.empty()) return fail(ErrorCode::config_invalid, "there are no [[streams]]");
  std::set<std::string> names;
  for (const StreamConfig& stream : config.streams) {
    if (auto good = StreamRule::compile(stream); !good) return good.error();
    if (!names.insert(stream.stream).second)
      return fail(ErrorCode::config_invalid, "streams: " + stream.stream + " is there twice");
  }
  return {};
}

}  // namespace peal::monitor
