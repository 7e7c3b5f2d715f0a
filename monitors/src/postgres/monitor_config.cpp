#include "postgres/monitor_config.hpp"

#include <algorithm>

#include "postgres/listen.hpp"

namespace peal::monitor {

void describe(runtime::ConfigSchema& schema, MonitorConfig& config) {
  describe_process(schema, config, "127.0.0.1:8424");
  schema.field("postgres.dsn", config.dsn,
               "the database, as libpq takes it: postgresql://… or host=… dbname=…; what is left "
               "out comes from PGHOST and the like",
               runtime::ConfigSchema::Visibility::secret);
  schema.field(
      "postgres.mode", config.mode,
      "outbox: tables and messages, each once; logical: tables, each change once, from the "
      "WAL; notify: what NOTIFY says, gaps are told");
  schema.field("postgres.slot", config.slot,
               "with mode = \"logical\": name of the publication, and of the slot up to its "
               "ending; another monitor of the same database needs another");
  schema.field("postgres.batch_changes_max", config.batch_changes_max,
               "changes that are taken at once");
  schema.field("postgres.batch_bytes_max", config.batch_bytes_max,
               "bytes of a batch after which it takes no further change");
  schema.field("postgres.waiting_warn", config.waiting_warn,
               "changes that wait in the database: above, it is said in the log once a minute");
  schema.field("postgres.queue_warn_percent", config.queue_warn_percent,
               "with mode = \"notify\": percent of NOTIFY's queue that are taken: above, it is "
               "said in the log once a minute");
  describe_rest(schema, config,
                "print what would be published of the changes that wait, and end; with mode = "
                "\"notify\" of what is said until Ctrl-C; takes nothing");
  schema.array(
      "rules",
      [&config](runtime::ConfigSchema& entry) {
        RuleConfig& rule = config.rules.emplace_back();
        entry.field("table", rule.table, "whose changes: schema.table; without a schema: public");
        entry.field("channel", rule.channel,
                    "where they ring: a text with {column}, {new.column}, {old.column}, {table}");
        entry.field("key", rule.key,
                    "the publication's key, likewise: the channel is then keyed state");
        entry.field("payload", rule.payload,
                    "JSON with placeholders; empty: event, table, the old and the new row");
        entry.field("filter", rule.filter,
                    "a condition on the row's columns, as in WHERE: rows enter and leave it");
        entry.field("on", rule.on, "of insert, update, delete, truncate; empty: all");
      },
      "which changes of tables ring where");
  schema.array(
      "listen",
      [&config](runtime::ConfigSchema& entry) {
        ListenConfig& listen = config.listens.emplace_back();
        entry.field("name", listen.name, "the channel of NOTIFY, exactly as it is written there");
        entry.field("channel", listen.channel, "where it rings: a text with {payload}");
        entry.field("key", listen.key, "the publication's key, likewise");
        entry.field("payload", listen.payload, "JSON with placeholders; empty: what NOTIFY said");
        entry.field("fetch", listen.fetch,
                    "a query whose $1 is what NOTIFY said: {payload} is then its first value");
        entry.field("reset", listen.reset,
                    "the channel that is told when something may have been missed; empty: channel");
      },
      "what is listened to with postgres.mode = \"notify\"");
}

Result<void> complete(MonitorConfig& config) {
  if (auto done = complete_common(config); !done) return done;
  if (config.batch_changes_max == 0 || config.batch_bytes_max == 0 ||
      config.under_way_bytes_max == 0) {
    return fail(ErrorCode::config_invalid,
                "postgres.batch_changes_max, postgres.batch_bytes_max and bus.under_way_bytes_max "
                "are above 0");
  }
  if (config.queue_warn_percent > 100)
    return fail(ErrorCode::config_invalid, "postgres.queue_warn_percent: 0 to 100");
  if (config.mode != "outbox" && config.mode != "notify" && config.mode != "logical") {
    return fail(ErrorCode::config_invalid,
                "postgres.mode: " + config.mode + " is none of outbox, logical and notify");
  }
  if (config.mode == "notify" && config.listens.empty())
    return fail(ErrorCode::config_invalid, "postgres.mode: notify needs a [[listen]]");
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (config.slot.empty() || config.slot.size() > 40 || !std::ranges::all_of(config.slot, in_name))
    return fail(ErrorCode::config_invalid, "postgres.slot: 1 to 40 of a to z, 0 to 9 and _");
  if (config.mode == "logical" && config.rules.empty())
    return fail(ErrorCode::config_invalid, "postgres.mode: logical needs [[rules]]");
  for (const ListenConfig& listen : config.listens) {
    if (auto good = Listen::compile(listen); !good) return good.error();
  }
  if (auto rules = Rules::compile(config.rule_list()); !rules) return rules.error();
  return {};
}

}  // namespace peal::monitor
