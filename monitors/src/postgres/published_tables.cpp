#include "postgres/published_tables.hpp"

#include <algorithm>

#include "peal/proto/json.hpp"
#include "postgres/table_name.hpp"

namespace peal::monitor {
namespace {

/// The table, or the parts of it that have rows, whose updates would be refused once published.
constexpr const char* kWithoutIdentity =
    "with root as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = $1 and c.relname = $2) select n.nspname, c.relname from pg_class c join "
    "pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and c.oid in (select oid from "
    "root union select p.relid from root, pg_partition_tree(root.oid) p) and c.relreplident <> 'f' "
    "and not exists (select from pg_index i where i.indrelid = c.oid and ((c.relreplident = 'd' "
    "and i.indisprimary) or (c.relreplident = 'i' and i.indisreplident))) and not exists (select "
    "from pg_publication where pubname = $3 and not pubupdate and not pubdelete) order by 1, 2 "
    "limit 1";

constexpr const char* kColumns =
    "select a.attname, a.attgenerated <> '' from pg_attribute a join pg_class c on c.oid = "
    "a.attrelid join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and "
    "c.relname = $2 and a.attnum > 0 and not a.attisdropped order by a.attnum";

}  // namespace

Result<void> check_published(Connection& connection, const std::string& publication,
                             const std::map<std::string, std::vector<std::string>>& tables) {
  for (const auto& [table, wanted] : tables) {
    const TableName name = table_name(table);
    const auto wanting = connection.ask(kWithoutIdentity, {name.schema, name.table, publication});
    if (!wanting) return wanting.error();
    if (wanting->rows() != 0) {
      return fail(ErrorCode::config_invalid,
                  "the table " + table +
                      " has no primary key: once it is published Postgres would refuse updates and "
                      "deletes; first do: ALTER TABLE " +
                      connection.quoted(wanting->text(0, 0)) + '.' +
                      connection.quoted(wanting->text(0, 1)) + " REPLICA IDENTITY FULL");
    }
    const auto columns = connection.ask(kColumns, {name.schema, name.table});
    if (!columns) return columns.error();
    for (std::size_t row = 0; row < columns->rows(); ++row) {
      const std::string column = columns->text(row, 0);
      if (columns->is_true(row, 1) && std::ranges::find(wanted, column) != wanted.end()) {
        return fail(ErrorCode::config_invalid,
                    "the column " + column + " of the table " + table +
                        " is generated, which is not in the WAL: use the columns that it is made "
                        "of, or postgres.mode = \"outbox\"");
      }
    }
  }
  return {};
}

Result<std::string> told_columns(Connection& connection, const std::string& table) {
  const TableName name = table_name(table);
  const auto columns = connection.ask(kColumns, {name.schema, name.table});
  if (!columns) return columns.error();
  std::string list;
  for (std::size_t row = 0; row < columns->rows(); ++row) {
    if (columns->is_true(row, 1)) continue;
    list += (list.empty() ? "" : ", ") + connection.quoted(columns->text(row, 0));
  }
  return list;
}

Result<std::vector<std::pair<std::string, bool>>> missing_tables(
    Connection& connection, const std::string& publication,
    const std::vector<std::string>& tables) {
  std::string names = "[";
  for (const std::string& table : tables)
    append_json_text(names += names.size() > 1 ? "," : "", table);
  const auto answer = connection.ask(
      "select w.name, exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace "
      "where c.relkind in ('r', 'p') and n.nspname || '.' || c.relname = w.name) from "
      "json_array_elements_text($1) w(name) where w.name not in (select schemaname || '.' || "
      "tablename from pg_publication_tables where pubname = $2)",
      {names + ']', publication});
  if (!answer) return answer.error();
  std::vector<std::pair<std::string, bool>> missing;
  for (std::size_t row = 0; row < answer->rows(); ++row)
    missing.emplace_back(answer->text(row, 0), answer->is_true(row, 1));
  return missing;
}

}  // namespace peal::monitor
