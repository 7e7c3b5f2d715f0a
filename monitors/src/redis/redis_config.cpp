#include "redis/redis_config.hpp"

#include <set>

#include "redis/list_rule.hpp"
#include "redis/stream_rule.hpp"

namespace peal::monitor {

void describe(runtime::ConfigSchema& schema, RedisMonitorConfig& config) {
  if (config.process.internal_listen.empty()) config.process.internal_listen = "127.0.0.1:8425";
  if (config.bus.connect.empty()) config.bus.connect = {"tcp://127.0.0.1:8422"};
  runtime::describe(schema, config.process);
  schema.field("monitor.name", config.name,
               "monitors of one name are one: one reads a source, the others stand by");
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
  schema.array(
      "lists",
      [&config](runtime::ConfigSchema& entry) {
        ListConfig& list = config.lists.emplace_back();
        entry.field("list", list.list, "the list's key in Redis; its elements are taken from it");
        entry.field("channel", list.channel, "where they ring: a text with {payload.part}");
        entry.field("key", list.key, "the publication's key, likewise");
        entry.field("payload", list.payload, "JSON with placeholders; empty: the element");
        entry.field("take", list.take,
                    "the end with the oldest: left, when RPUSH adds, or right, when LPUSH does");
      },
      "lists, and where their elements ring");
}

namespace {

Result<void> check_sources(const RedisMonitorConfig& config) {
  const auto invalid = [](const std::string& why) { return fail(ErrorCode::config_invalid, why); };
  if (config.streams.empty() && config.lists.empty())
    return invalid("there are no [[streams]] and no [[lists]]");
  std::set<std::string> names;
  for (const StreamConfig& stream : config.streams) {
    if (auto good = StreamRule::compile(stream); !good) return good.error();
    if (!names.insert(stream.stream).second)
      return invalid("streams: " + stream.stream + " is there twice");
  }
  names.clear();
  for (const ListConfig& list : config.lists) {
    if (auto good = ListRule::compile(list); !good) return good.error();
    if (!names.insert(list.list).second) return invalid("lists: " + list.list + " is there twice");
    if (config.redis.mode != "cluster") continue;
    const auto trouble =
        cluster_trouble(list_keys(config.redis.prefix, config.name, list.list), list.list);
    if (!trouble.empty()) return invalid("lists: " + list.list + ": " + trouble);
  }
  return {};
}

}  // namespace

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
  return check_sources(config);
}

}  // namespace peal::monitor
