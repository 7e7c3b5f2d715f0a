#pragma once
// Everything peal-monitor-postgres can be told. `describe` binds it to keys; `complete` is what no
// single key can say.

#include <deque>
#include <string>

#include "peal/monitor/rules.hpp"
#include "process/common_config.hpp"

namespace peal::monitor {

/// A channel of NOTIFY. In templates {payload} is what was said, and {payload.part} leads into it
/// when it is JSON.
struct ListenConfig {
  std::string name;     ///< as in NOTIFY
  std::string channel;  ///< template
  std::string key;      ///< template; empty: none
  std::string payload;  ///< JSON template; empty: the payload
  std::string fetch;    ///< a query with $1, the payload, for the JSON to publish; empty: none
  std::string reset;    ///< the channel that is told of a gap; empty: `channel`, when it is fixed
};

struct MonitorConfig : CommonConfig {
  /// How it reaches the database, as libpq takes it; what is left out is libpq's default.
  std::string dsn;
  /// How changes are read: "outbox", "logical", "notify".
  std::string mode = "outbox";
  /// With mode = "logical": the name of the publication, and what the slot's name begins with.
  std::string slot = "peal";
  /// Changes that are taken at once, and the bytes after which no further one is.
  std::size_t batch_changes_max = 1000;
  std::size_t batch_bytes_max = 8 * 1024 * 1024;
  /// Changes that wait at the source: above, it is said in the log.
  std::size_t waiting_warn = 100'000;
  /// Percent of NOTIFY's queue that are taken: above, it is said in the log.
  std::size_t queue_warn_percent = 50;
  /// A deque, since the schema points at the fields.
  std::deque<RuleConfig> rules;

  /// With mode = "notify": what is listened to, and where it rings.
  std::deque<ListenConfig> listens;

  std::vector<RuleConfig> rule_list() const { return {rules.begin(), rules.end()}; }
};

void describe(runtime::ConfigSchema& schema, MonitorConfig& config);
/// Completes and checks; the error names the key.
Result<void> complete(MonitorConfig& config);

}  // namespace peal::monitor
