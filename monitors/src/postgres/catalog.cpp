#include "postgres/catalog.hpp"

#include <algorithm>

#include "postgres/table_name.hpp"

namespace peal::monitor {
namespace {

std::vector<std::string> column_of(const Answer& answer) {
  std::vector<std::string> texts;
  for (std::size_t row = 0; row < answer.rows(); ++row)
    texts.push_back(answer.text(row, 0));
  return texts;
}

}  // namespace

Result<void> check_tables(Connection& connection,
                          const std::map<std::string, std::vector<std::string>>& tables) {
  auto there = connection.ask(
      "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on "
      "n.oid = c.relnamespace where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' "
      "and n.nspname not like 'pg\\_%'");
  if (!there) return there.error();
  const auto names = column_of(*there);
  for (const auto& [table, wanted] : tables) {
    if (std::ranges::find(names, table) == names.end()) {
      return fail(ErrorCode::config_invalid,
                  "there is no table " + table + did_you_mean(table, names));
    }
    const TableName name = table_name(table);
    auto have = connection.ask(
        "select a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid join "
        "pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2 and "
        "a.attnum > 0 and not a.attisdropped",
        {name.schema, name.table});
    if (!have) return have.error();
    const auto columns = column_of(*have);
    for (const std::string& column : wanted) {
      if (std::ranges::find(columns, column) == columns.end()) {
        return fail(ErrorCode::config_invalid, "the table " + table + " has no column " + column +
                                                   did_you_mean(column, columns));
      }
    }
  }
  return {};
}

Result<std::unordered_map<std::uint32_t, TypeInfo>> ask_types(Connection& connection,
                                                              std::vector<std::uint32_t> types) {
  std::unordered_map<std::uint32_t, TypeInfo> known;
  while (!types.empty()) {
    std::string list = "{";
    for (const std::uint32_t type : types)
      list += (list.size() > 1 ? "," : "") + std::to_string(type);
    auto answer = connection.ask(
        "select oid, typbasetype, case when typcategory = 'A' then typelem else 0 end from pg_type "
        "where oid = any ($1::oid[])",
        {list + "}"});
    if (!answer) return answer.error();
    types.clear();
    for (std::size_t row = 0; row < answer->rows(); ++row) {
      const TypeInfo info{static_cast<std::uint32_t>(answer->number(row, 1)),
                          static_cast<std::uint32_t>(answer->number(row, 2))};
      known[static_cast<std::uint32_t>(answer->number(row, 0))] = info;
      for (const std::uint32_t part : {info.base, info.element}) {
        if (part != 0 && !known.contains(part)) types.push_back(part);
      }
    }
  }
  return known;
}

Result<std::vector<std::string>> unwatched_tables(Connection& connection,
                                                  const std::vector<std::string>& tables) {
  std::string names = "[";
  for (const std::string& table : tables) {
    const TableName name = table_name(table);
    append_json_text(names += names.size() > 1 ? ",{\"s\":" : "{\"s\":", name.schema);
    append_json_text(names += ",\"t\":", name.table);
    names += '}';
  }
  auto answer = connection.ask(
      "select w.s || '.' || w.t from json_to_recordset($1) w(s text, t text) where not exists "
      "(select from pg_trigger g where g.tgname = '!peal_capture' and g.tgparentid = 0 and "
      "g.tgenabled <> 'D' and g.tgargs = convert_to(w.s, getdatabaseencoding()) || decode('00', "
      "'hex') "
      "|| convert_to(w.t, getdatabaseencoding()) || decode('00', 'hex'))",
      {names + ']'});
  if (!answer) return answer.error();
  return column_of(*answer);
}

Result<std::vector<std::string>> captured_tables(Connection& connection) {
  auto answer = connection.ask(
      "select n.nspname || '.' || c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid "
      "join pg_namespace n on n.oid = c.relnamespace where t.tgname = '!peal_capture' and "
      "t.tgparentid = 0 order by 1");
  if (!answer) return answer.error();
  return column_of(*answer);
}

}  // namespace peal::monitor
