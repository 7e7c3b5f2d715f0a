#include "redis/keyspace_rule.hpp"

#include <algorithm>
#include <array>

namespace peal::monitor {
namespace {

/// The class of each event that Redis is known to say, as notify-keyspace-events names it.
struct EventClass {
  char flag;
  std::string_view events;  ///< each between spaces
};
constexpr std::array<EventClass, 9> kClasses = {{
    {'g', " del expire persist rename_from rename_to move_from move_to copy_to restore "},
    {'$', " set setrange incrby incrbyfloat append "},
    {'l', " lpush rpush lpop rpop linsert lset lrem ltrim lmove rpoplpush sortstore "},
    {'s', " sadd srem spop sinterstore sunionstore sdiffstore "},
    {'h', " hset hincrby hincrbyfloat hdel "},
    {'z',
     " zadd zincr zrem zrembyscore zrembyrank zremrangebyscore zremrangebyrank zpopmin "
     "zpopmax zinterstore zunionstore zdiffstore zrangestore "},
    {'t', " xadd xtrim xdel xsetid "},
    {'x', " expired "},
    {'e', " evicted "},
}};
/// What A stands for.
constexpr std::string_view kAll = "g$lshzxetd";

/// KEYS[1] the key; ARGV bytes and elements of the largest value that is fetched. Answers its type,
/// and its value unless that is too large or of a type that isn't fetched.
constexpr const char* kFetchScript = R"(
local key, kind = KEYS[1], redis.call('TYPE', KEYS[1]).ok
local counts = {string = 'STRLEN', hash = 'HLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD'}
if not counts[kind] then return {kind} end
local max = tonumber(kind == 'string' and ARGV[1] or ARGV[2])
if redis.call(counts[kind], key) > max then return {kind} end
if kind == 'string' then return {kind, redis.call('GET', key)} end
local value
if kind == 'hash' then value = redis.call('HGETALL', key) end
if kind == 'list' then value = redis.call('LRANGE', key, 0, -1) end
if kind == 'set' then value = redis.call('SMEMBERS', key) end
if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
local bytes = 0
for i = 1, #value do bytes = bytes + #value[i] end
if bytes > tonumber(ARGV[1]) then return {kind} end
return {kind, value}
)";

std::string json_of(std::string_view text) {
  std::string json;
  append_json_text(json, text);
  return json;
}

std::string array_of(const std::vector<redis::Reply>& elements) {
  std::string json = "[";
  for (const redis::Reply& each : elements)
    append_json_text(json += json.size() > 1 ? "," : "", each.text);
  return json + ']';
}

/// Of member and score by turns. A score that JSON has no number for (inf) is a text.
std::string scores_of(const std::vector<redis::Reply>& pairs, JsonReader& reader) {
  std::string json = "[";
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    append_json_text(json += json.size() > 1 ? ",[" : "[", pairs[i].text);
    json += ',' + said_json(pairs[i + 1].text, reader) + ']';
  }
  return json + ']';
}

std::string object_of(const std::vector<redis::Reply>& pairs) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    // A name that is no UTF-8 becomes what its JSON says.
    columns.push_back(
        {JsonReader::as_string(json_of(pairs[i].text)).value_or(""), json_of(pairs[i + 1].text)});
  }
  return Row(std::move(columns)).json();
}

}  // namespace

Result<KeyValue> value_of(const redis::Reply& reply, JsonReader& reader) {
  if (!reply.is_array() || reply.elements.empty())
    return fail(ErrorCode::internal_error, "a key's value is something else");
  KeyValue made;
  made.type = reply.elements[0].text;
  if (reply.elements.size() < 2 || reply.elements[1].is_nil()) return made;
  std::vector<redis::Reply> elements = reply.elements[1].elements;
  if (made.type == "string") {
    made.json = said_json(reply.elements[1].text, reader);
  } else if (made.type == "hash") {
    made.json = object_of(elements);
  } else if (made.type == "list") {
    made.json = array_of(elements);
  } else if (made.type == "set") {
    std::ranges::sort(elements, {}, &redis::Reply::text);
    made.json = array_of(elements);
  } else if (made.type == "zset") {
    made.json = scores_of(elements, reader);
  }
  return made;
}

Result<KeyspaceRule> KeyspaceRule::compile(const KeyspaceConfig& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "keyspace: " + config.pattern + ": " + what);
  };
  if (config.pattern.empty()) return wrong("pattern is missing");
  if (std::ranges::any_of(config.events, &std::string::empty)) return wrong("an event is empty");
  auto rule = MessageRule::compile_with_gaps(
      {config.pattern, config.channel, config.key, config.payload}, config.reset);
  if (!rule) return wrong(rule.error().message);
  KeyspaceRule made;
  made.events_ = config.events;
  made.rule_ = std::move(*rule);
  return made;
}

bool KeyspaceRule::wants(std::string_view event) const {
  return events_.empty() || std::ranges::find(events_, event) != events_.end();
}

Result<Ring> KeyspaceRule::ring(std::string_view key, std::string_view event, const KeyValue& value,
                                JsonReader& reader) const {
  const bool gone = value.type == "none";
  std::string payload = "{\"event\":" + json_of(event) + ",\"key\":" + json_of(key);
  if (!gone) payload += ",\"type\":" + json_of(value.type);
  if (value.json) payload += ",\"value\":" + *value.json;
  payload += '}';
  auto made = rule_.ring({{"$key", json_of(key)},
                          {"$event", json_of(event)},
                          {"$type", json_of(value.type)},
                          {"value", value.json.value_or("null")}},
                         std::move(payload), reader);
  if (made) made->deletion = gone && !made->key.empty();
  return made;
}

std::string missing_of(std::string_view setting, const std::vector<std::string>& events) {
  const auto has = [&](char flag) {
    return setting.find(flag) != std::string_view::npos ||
           (kAll.find(flag) != std::string_view::npos &&
            setting.find('A') != std::string_view::npos);
  };
  std::string missing;
  if (!has('K')) missing += 'K';
  for (const EventClass& each : kClasses) {
    const bool named = std::ranges::any_of(events, [&](const std::string& event) {
      return each.events.find(' ' + event + ' ') != std::string_view::npos;
    });
    if (named && !has(each.flag)) missing += each.flag;
  }
  if (missing.find_first_not_of('K') == std::string::npos && std::ranges::none_of(kAll, has))
    missing += 'A';
  if (missing.empty()) return {};
  return "notify-keyspace-events is \"" + std::string(setting) + "\" and lacks " + missing +
         ": CONFIG SET notify-keyspace-events KA, and the same in redis.conf";
}

const std::vector<std::string>& setting_question() {
  static const std::vector<std::string> question{"CONFIG", "GET", "notify-keyspace-events"};
  return question;
}

std::vector<std::string> fetch_args(const std::string& key, const RedisMonitorConfig& config) {
  return {"EVAL",
          kFetchScript,
          "1",
          key,
          std::to_string(config.limits.message_bytes_max),
          std::to_string(config.value_elements_max)};
}

std::string keyspace_topic(std::size_t database) {
  return "__keyspace@" + std::to_string(database) + "__:";
}

}  // namespace peal::monitor
