#include <algorithm>

#include "peal/monitor/postgres_outbox.hpp"
#include "postgres/catalog.hpp"
#include "postgres/connection.hpp"
#include "postgres/outbox_sql.hpp"
#include "postgres/table_name.hpp"

namespace peal::monitor {
namespace {

/// Counting stops here: a person wants to know whether it is a lot.
constexpr const char* kStatusSql =
    "select (select version from peal.meta), l.changes, l.bytes, l.oldest_ms, l.rejected from "
    "peal.lag(100000) l";

/// 0: there is none.
Result<int> installed_version(Connection& connection) {
  auto there = connection.ask("select to_regclass('peal.meta') is not null");
  if (!there) return there.error();
  if (!there->is_true(0, 0)) return 0;
  auto version = connection.ask("select version from peal.meta");
  if (!version) return version.error();
  return version->rows() == 0 ? 0 : static_cast<int>(version->number(0, 0));
}

std::string trigger_sql(const Connection& connection, const std::string& table) {
  const TableName name = table_name(table);
  const std::string on = connection.quoted(name.schema) + '.' + connection.quoted(name.table);
  const std::string runs = " execute function peal.capture(" + connection.literal(name.schema) +
                           ", " + connection.literal(name.table) + ");\n";
  // Triggers run in the order of their names: what another one changes is to come after.
  return "create or replace trigger \"!peal_capture\" after insert or update or delete on " + on +
         " for each row" + runs +
         "create or replace trigger peal_capture_truncate after truncate on " + on +
         " for each statement" + runs;
}

std::string grant_sql(const Connection& connection, const OutboxInstall& options) {
  std::string sql;
  for (const std::string& role : options.monitors) {
    const std::string to = " to " + connection.quoted(role) + ";\n";
    sql += "grant usage on schema peal" + to + "grant select on peal.meta" + to +
           "grant execute on function peal.claim, peal.take, peal.peek, peal.lag" + to;
  }
  for (const std::string& role : options.publishers) {
    const std::string to = " to " + connection.quoted(role) + ";\n";
    sql += "grant usage on schema peal" + to + "grant execute on function peal.publish" + to;
  }
  return sql;
}

}  // namespace

Result<void> install_outbox(const OutboxInstall& options) {
  auto connection = Connection::open(options.dsn, "peal monitor postgres install");
  if (!connection) return connection.error();
  const auto version = installed_version(*connection);
  if (!version) return version.error();
  if (*version > kOutboxVersion) {
    return fail(ErrorCode::config_invalid, "the outbox there is of version " +
                                               std::to_string(*version) + ", this Peal's is " +
                                               std::to_string(kOutboxVersion));
  }
  std::map<std::string, std::vector<std::string>> wanted;
  for (const std::string& table : options.tables)
    wanted[table_name(table).full()] = {};
  if (auto there = check_tables(*connection, wanted); !there) return there;
  std::string sql = "begin;\n" + std::string(outbox_sql());
  for (const auto& [table, columns] : wanted)
    sql += trigger_sql(*connection, table);
  return connection->run(sql + grant_sql(*connection, options) + "commit;");
}

Result<void> uninstall_outbox(const std::string& dsn, bool force) {
  const auto status = outbox_status(dsn);
  if (!status) return status.error();
  if (!force && status->waiting + status->rejected != 0) {
    return fail(ErrorCode::expectation_failed,
                std::to_string(status->waiting) + " changes wait there and " +
                    std::to_string(status->rejected) +
                    " were rejected; they would be lost (--force removes them)");
  }
  auto connection = Connection::open(dsn, "peal monitor postgres uninstall");
  if (!connection) return connection.error();
  // The tables' triggers go with their function.
  return connection->run("drop schema peal cascade");
}

Result<OutboxStatus> outbox_status(const std::string& dsn) {
  auto connection = Connection::open(dsn, "peal monitor postgres status");
  if (!connection) return connection.error();
  const auto version = installed_version(*connection);
  if (!version) return version.error();
  if (*version == 0) {
    return fail(ErrorCode::not_found,
                "there is no outbox in that database; peal monitor postgres install makes one");
  }
  auto answer = connection->ask(kStatusSql);
  if (!answer) return answer.error();
  auto tables = captured_tables(*connection);
  if (!tables) return tables.error();
  OutboxStatus status;
  status.version = *version;
  status.tables = std::move(*tables);
  status.waiting = answer->number(0, 1);
  status.bytes = answer->number(0, 2);
  status.oldest_ms = answer->number(0, 3);
  status.rejected = answer->number(0, 4);
  return status;
}

}  // namespace peal::monitor
