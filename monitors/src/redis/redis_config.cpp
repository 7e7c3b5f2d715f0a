#include "redis/redis_config.hpp"

#include <set>

#include "redis/keyspace_rule.hpp"
#include "redis/list_rule.hpp"
#include "redis/listen_reader.hpp"
#include "redis/stream_rule.hpp"

namespace peal::monitor {

void describe(runtime::ConfigSchema& schema, RedisMonitorConfig& config) {
  describe_process(schema, config, "127.0.0.1:8425");
  schema.field("monitor.name", config.name,
               "monitors of one name are one: one reads a source, the others stand by");
  schema.field("monitor.batch_entries_max", config.batch_entries_max,
               "entries that are read at once");
  schema.field("monitor.held_bytes_max", config.held_bytes_max,
               "bytes that were heard and not yet published; above, a gap is told");
  schema.field("monitor.value_elements_max", config.value_elements_max,
               "elements of the largest hash, list or set that keyspace rules fetch");
  schema.field("monitor.waiting_warn", config.waiting_warn,
               "entries that wait in one stream or list: above, it is said in the log once a "
               "minute");
  redis::describe(schema, config.redis);
  describe_rest(schema, config,
                "print what would be published of what waits, and of what is heard until Ctrl-C; "
                "takes nothing");
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
  schema.array(
      "listen",
      [&config](runtime::ConfigSchema& entry) {
        TopicConfig& topic = config.listens.emplace_back();
        entry.field("name", topic.name, "the channel of PUBLISH, exactly as it is written there");
        entry.field("pattern", topic.pattern, "instead: all that it matches, as with PSUBSCRIBE");
        entry.field("channel", topic.channel, "where it rings: a text with {payload}, {$channel}");
        entry.field("key", topic.key, "the publication's key, likewise");
        entry.field("payload", topic.payload, "JSON with placeholders; empty: what was said");
        entry.field("reset", topic.reset,
                    "the channel that is told when something may have been missed; empty: channel");
      },
      "channels of PUBLISH, and where what is said there rings");
  schema.array(
      "keyspace",
      [&config](runtime::ConfigSchema& entry) {
        KeyspaceConfig& keys = config.keyspace.emplace_back();
        entry.field("pattern", keys.pattern, "of keys, as with PSUBSCRIBE: user:*");
        entry.field("events", keys.events,
                    "as Redis calls them: set, hset, del, expired, …; empty: all");
        entry.field("channel", keys.channel, "where it rings: a text with {$key}, {value.field}");
        entry.field("key", keys.key, "the publication's key, likewise; gone keys delete it");
        entry.field("payload", keys.payload,
                    "JSON with placeholders; empty: event, key, type and value");
        entry.field("reset", keys.reset,
                    "the channel that is told when something may have been missed; empty: channel");
      },
      "keys whose events ring, with what they hold");
}

namespace {

Result<void> check_sources(const RedisMonitorConfig& config) {
  const auto invalid = [](const std::string& why) { return fail(ErrorCode::config_invalid, why); };
  if (config.streams.empty() && config.lists.empty() && config.listens.empty() &&
      config.keyspace.empty()) {
    return invalid("there are no [[streams]], [[lists]], [[listen]] or [[keyspace]]");
  }
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
  for (const TopicConfig& topic : config.listens) {
    if (auto good = listen_rule(topic); !good) return good.error();
  }
  for (const KeyspaceConfig& keys : config.keyspace) {
    if (auto good = KeyspaceRule::compile(keys); !good) return good.error();
  }
  return {};
}

}  // namespace

Result<void> complete(RedisMonitorConfig& config) {
  if (auto done = complete_common(config); !done) return done;
  if (auto done = redis::complete(config.redis); !done) return done;
  if (config.batch_entries_max == 0 || config.under_way_bytes_max == 0 ||
      config.held_bytes_max == 0) {
    return fail(ErrorCode::config_invalid,
                "monitor.batch_entries_max, monitor.held_bytes_max and bus.under_way_bytes_max are "
                "above 0");
  }
  if (config.name.empty()) return fail(ErrorCode::config_invalid, "monitor.name is empty");
  return check_sources(config);
}

}  // namespace peal::monitor
