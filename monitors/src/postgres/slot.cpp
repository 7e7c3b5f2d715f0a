#include "postgres/slot.hpp"

#include <algorithm>

#include "postgres/table_name.hpp"

namespace peal::monitor {
namespace {

std::string tables_sql(const Connection& connection, const std::vector<std::string>& tables) {
  std::string sql;
  for (const std::string& table : tables) {
    const TableName name = table_name(table);
    sql += (sql.empty() ? "" : ", ") + connection.quoted(name.schema) + '.' +
           connection.quoted(name.table);
  }
  return sql;
}

}  // namespace

Result<void> check_logical(Connection& connection) {
  auto answer = connection.ask(
      "select current_setting('wal_level'), r.rolreplication or r.rolsuper, current_user from "
      "pg_roles r where r.rolname = current_user");
  if (!answer) return answer.error();
  if (answer->text(0, 0) != "logical") {
    return fail(ErrorCode::config_invalid,
                "wal_level is " + answer->text(0, 0) +
                    ": set wal_level = logical and restart Postgres, or use postgres.mode = "
                    "\"outbox\", which needs no such setting");
  }
  if (!answer->is_true(0, 1)) {
    return fail(ErrorCode::config_invalid, "the role may not replicate: ALTER ROLE " +
                                               connection.quoted(answer->text(0, 2)) +
                                               " REPLICATION");
  }
  return {};
}

Result<void> check_may_read(Connection& connection, const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    const TableName name = table_name(table);
    auto answer = connection.ask(
        "select has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT'), "
        "current_user from pg_class c join pg_namespace n on n.oid = c.relnamespace where "
        "n.nspname = $1 and c.relname = $2",
        {name.schema, name.table});
    if (!answer) return answer.error();
    if (answer->rows() == 0 || answer->is_true(0, 0)) continue;
    const std::string to = " TO " + connection.quoted(answer->text(0, 1));
    const std::string schema = connection.quoted(name.schema);
    return fail(ErrorCode::config_invalid,
                "the role may not read what " + table + " has: GRANT USAGE ON SCHEMA " + schema +
                    to + "; GRANT SELECT ON " + schema + '.' + connection.quoted(name.table) + to);
  }
  return {};
}

Result<std::vector<std::string>> wanting_full_identity(
    Connection& connection, const std::map<std::string, std::vector<std::string>>& old_columns) {
  std::vector<std::string> statements;
  for (const auto& [table, columns] : old_columns) {
    const TableName name = table_name(table);
    // FULL, or the index whose columns are told of an old row.
    auto answer = connection.ask(
        "select c.relreplident = 'f', a.attname from pg_class c join pg_namespace n on n.oid = "
        "c.relnamespace left join pg_index i on i.indrelid = c.oid and ((c.relreplident = 'd' and "
        "i.indisprimary) or (c.relreplident = 'i' and i.indisreplident)) left join pg_attribute a "
        "on a.attrelid = c.oid and a.attnum = any (i.indkey) where n.nspname = $1 and "
        "c.relname = $2",
        {name.schema, name.table});
    if (!answer) return answer.error();
    std::vector<std::string> told;
    for (std::size_t row = 0; row < answer->rows(); ++row)
      told.push_back(answer->text(row, 1));
    const auto is_told = [&](const std::string& column) {
      return std::ranges::find(told, column) != told.end();
    };
    const bool full = answer->rows() != 0 && answer->is_true(0, 0);
    if (!full && !std::ranges::all_of(columns, is_told)) {
      statements.push_back("ALTER TABLE " + connection.quoted(name.schema) + '.' +
                           connection.quoted(name.table) + " REPLICA IDENTITY FULL");
    }
  }
  return statements;
}

Result<std::string> wanting_publication(Connection& connection, const std::string& name,
                                        const std::vector<std::string>& tables) {
  auto there = connection.ask("select 1 from pg_publication where pubname = $1", {name});
  if (!there) return there.error();
  const std::string list = tables_sql(connection, tables);
  const std::string quoted = connection.quoted(name);
  if (there->rows() == 0) {
    return "CREATE PUBLICATION " + quoted + " FOR TABLE " + list +
           " WITH (publish_via_partition_root = true)";
  }
  auto now = connection.ask(
      "select schemaname || '.' || tablename from pg_publication_tables where pubname = $1",
      {name});
  if (!now) return now.error();
  std::vector<std::string> has;
  for (std::size_t row = 0; row < now->rows(); ++row)
    has.push_back(now->text(row, 0));
  std::ranges::sort(has);
  std::vector<std::string> wanted = tables;
  std::ranges::sort(wanted);
  if (has == wanted) return std::string();
  return "ALTER PUBLICATION " + quoted + " SET TABLE " + list + "; ALTER PUBLICATION " + quoted +
         " SET (publish_via_partition_root = true)";
}

Result<void> make_publication(Connection& connection, const std::string& sql) {
  auto done = connection.run(sql);
  if (done || done.error().temporary()) return done;
  return fail(ErrorCode::config_invalid,
              done.error().message + "; whoever owns the tables can do it: " + sql);
}

Result<std::optional<Slot>> find_slot(Connection& connection, const std::string& name) {
  auto answer = connection.ask(
      "select slot_name, coalesce(wal_status = 'lost', false) from pg_replication_slots where "
      "slot_type = 'logical' and database = current_database() and not temporary and "
      "slot_name ~ ('^' || $1 || '_[0-9a-f]{8}$') order by 1 limit 1",
      {name});
  if (!answer) return answer.error();
  if (answer->rows() == 0) return std::optional<Slot>();
  return std::optional(Slot{answer->text(0, 0), answer->is_true(0, 1)});
}

Result<void> drop_slot(Connection& connection, const std::string& slot) {
  auto answer = connection.ask("select pg_drop_replication_slot($1)", {slot});
  return answer ? Result<void>() : Result<void>(answer.error());
}

Result<void> keep_slot(Connection& connection, const std::string& temporary,
                       const std::string& slot) {
  auto answer = connection.ask("select pg_copy_logical_replication_slot($1, $2, false, 'pgoutput')",
                               {temporary, slot});
  return answer ? Result<void>() : Result<void>(answer.error());
}

Result<SlotLag> lag_of(Connection& connection, const std::string& slot) {
  auto answer = connection.ask(
      "select greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn))::bigint, "
      "safe_wal_size, (select setting::bigint * 1024 * 1024 from pg_settings where name = "
      "'max_slot_wal_keep_size'), (extract(epoch from clock_timestamp()) * 1000)::bigint from "
      "pg_replication_slots where slot_name::text in ($1::text, $1::text || '_snapshot')",
      {slot});
  if (!answer) return answer.error();
  if (answer->rows() == 0)
    return fail(ErrorCode::storage_unavailable, "the slot " + slot + " has gone");
  SlotLag lag;
  lag.bytes = answer->number(0, 0);
  const Cell left = answer->at(0, 1);
  if (left) lag.wal_left = left->starts_with('-') ? 0 : answer->number(0, 1);
  lag.now_ms = static_cast<std::int64_t>(answer->number(0, 3));
  if (left) lag.wal_max = answer->number(0, 2);
  return lag;
}

}  // namespace peal::monitor
