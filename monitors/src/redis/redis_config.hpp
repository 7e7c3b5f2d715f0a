#pragma once
// Everything peal-monitor-redis can be told. `describe` binds it to keys; `complete` is what no
// single key can say.

#include <deque>
#include <string>

#include "peal/bus/zmq_bus.hpp"
#include "peal/redis/config.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"

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

struct RedisMonitorConfig {
  runtime::ProcessConfig process;
  runtime::ControlConfig control;
  Limits limits;
  bus::ZmqBusConfig bus;
  redis::Config redis;
  /// Monitors of one name are one: one of them reads a source, the others stand by.
  std::string name = "monitor";
  std::size_t batch_entries_max = 500;
  std::size_t under_way_bytes_max = 4 * 1024 * 1024;
  /// A deque, since the schema points at the fields.
  std::deque<StreamConfig> streams;
  std::deque<ListConfig> lists;
};

void describe(runtime::ConfigSchema& schema, RedisMonitorConfig& config);
/// Completes and checks; the error names the key.
Result<void> complete(RedisMonitorConfig& config);

}  // namespace peal::monitor
