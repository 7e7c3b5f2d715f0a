#pragma once
// Everything peal-monitor-redis can be told. `describe` binds it to keys; `complete` is what no
// single key can say.

#include <deque>
#include <string>
#include <vector>

#include "peal/redis/config.hpp"
#include "process/common_config.hpp"

namespace peal::monitor {

/// A stream and where its entries ring. In templates {field} is a field of the entry as text, and
/// {$id} the entry's id.
struct StreamConfig {
  std::string stream;        ///< the key in Redis
  std::string channel;       ///< template
  std::string key;           ///< template; empty: none
  std::string payload;       ///< JSON template; empty: an object of the fields
  std::string from = "new";  ///< where to begin at first: "new" or "start"
  std::string reset;         ///< the channel that is told of a gap; empty: `channel`, when fixed
};

/// A list and where its elements ring. In templates {payload} is the element, {payload.part} leads
/// into it.
struct ListConfig {
  std::string list;           ///< the key in Redis
  std::string channel;        ///< template
  std::string key;            ///< template; empty: none
  std::string payload;        ///< JSON template; empty: the element
  std::string take = "left";  ///< the end with the oldest: "left" (RPUSH) or "right" (LPUSH)
};

/// What is said on a channel of Redis, or on those that a pattern matches, and where it rings. In
/// templates {payload} is what was said, {$channel} where.
struct TopicConfig {
  std::string name;     ///< the channel of PUBLISH, exactly
  std::string pattern;  ///< instead of `name`, as PSUBSCRIBE takes it
  std::string channel;  ///< template
  std::string key;      ///< template; empty: none
  std::string payload;  ///< JSON template; empty: what was said
  std::string reset;    ///< the channel that is told of a gap; empty: `channel`, when fixed
};

/// Keys whose events ring, with what they hold. In templates {$key}, {$event}, {$type}, {value}.
struct KeyspaceConfig {
  std::string pattern;              ///< of keys, as PSUBSCRIBE takes it
  std::vector<std::string> events;  ///< set, hset, del, expired, …; empty: all
  std::string channel;              ///< template
  std::string key;                  ///< template; empty: none
  std::string payload;              ///< JSON template; empty: event, key, type, value
  std::string reset;                ///< the channel that is told of a gap; empty: `channel`
};

struct RedisMonitorConfig : CommonConfig {
  redis::Config redis;
  /// Monitors of one name are one: one of them reads a source, the others stand by.
  std::string name = "monitor";
  std::size_t batch_entries_max = 500;
  /// Of what was heard and is not acknowledged; above, it is dropped and the gap is told.
  std::size_t held_bytes_max = 16 * 1024 * 1024;
  /// Of a hash, list or set that is fetched.
  std::size_t value_elements_max = 10'000;
  /// Entries or elements that wait in a stream or list: above, it is said in the log.
  std::size_t waiting_warn = 100'000;
  /// A deque, since the schema points at the fields.
  std::deque<StreamConfig> streams;
  std::deque<ListConfig> lists;
  std::deque<TopicConfig> listens;
  std::deque<KeyspaceConfig> keyspace;
};

void describe(runtime::ConfigSchema& schema, RedisMonitorConfig& config);
/// Completes and checks; the error names the key.
Result<void> complete(RedisMonitorConfig& config);

}  // namespace peal::monitor
