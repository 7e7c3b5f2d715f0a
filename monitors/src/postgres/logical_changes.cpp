#include "postgres/logical_changes.hpp"

namespace peal::monitor {
namespace {

constexpr const char* kOnlyKey = "only its key is known: the table's REPLICA IDENTITY is not FULL";
constexpr const char* kNothing = "not known: the table's REPLICA IDENTITY is not FULL";

using Kind = pgoutput::RowChange::Kind;

}  // namespace

Result<void> LogicalChanges::take(std::string_view bytes, LogicalSink& sink) {
  const auto message = pgoutput::read(bytes);
  if (!message) return message.error();
  if (const auto* begin = std::get_if<pgoutput::Begin>(&*message)) {
    time_ms_ = begin->time_ms();
    sink.on_begin(*begin);
  } else if (const auto* commit = std::get_if<pgoutput::Commit>(&*message)) {
    sink.on_commit(*commit);
  } else if (const auto* told = std::get_if<pgoutput::Relation>(&*message)) {
    sink.on_relation(*told);
    return learn(*told);
  } else if (const auto* row = std::get_if<pgoutput::RowChange>(&*message)) {
    const auto change = change_of(*row);
    if (!change) return change.error();
    sink.on_change(*change);
  } else if (const auto* truncate = std::get_if<pgoutput::Truncate>(&*message)) {
    for (const std::uint32_t id : truncate->relations) {
      const auto known = relation(id);
      if (!known) return known.error();
      sink.on_change(change_in(**known, Change::What::truncate));
    }
  }
  return {};
}

Result<void> LogicalChanges::learn(const pgoutput::Relation& relation) {
  std::vector<std::uint32_t> unknown;
  for (const auto& column : relation.columns) {
    if (!values_.knows(column.type)) unknown.push_back(column.type);
  }
  if (!unknown.empty()) {
    const auto types = ask_types_(std::move(unknown));
    if (!types) return types.error();
    for (const auto& [type, info] : *types)
      values_.learn(type, info);
  }
  relations_[relation.id] = relation;
  return {};
}

Result<const pgoutput::Relation*> LogicalChanges::relation(std::uint32_t id) const {
  const auto at = relations_.find(id);
  if (at == relations_.end())
    return fail(ErrorCode::internal_error, "pgoutput: a change of a relation that was not told");
  return &at->second;
}

Change LogicalChanges::change_in(const pgoutput::Relation& relation, Change::What what) const {
  Change change;
  change.what = what;
  change.schema = relation.schema;
  change.table = relation.name;
  change.time_ms = time_ms_;
  return change;
}

Result<Change> LogicalChanges::change_of(const pgoutput::RowChange& row) {
  const auto known = relation(row.relation);
  if (!known) return known.error();
  Change change = change_in(**known, row.kind == Kind::insert   ? Change::What::insert
                                     : row.kind == Kind::update ? Change::What::update
                                                                : Change::What::remove);
  if (row.old_tuple) {
    change.old_row = row_of(**known, *row.old_tuple, row.only_key, nullptr);
    if (row.only_key) change.old_missing = kOnlyKey;
  } else if (row.kind != Kind::insert) {
    change.old_missing = kNothing;
  }
  if (row.new_tuple) {
    const bool whole = row.old_tuple && !row.only_key;
    change.new_row = row_of(**known, *row.new_tuple, false, whole ? &*row.old_tuple : nullptr);
  }
  return change;
}

Row LogicalChanges::row_of(const pgoutput::Relation& relation, const pgoutput::Tuple& tuple,
                           bool only_key, const pgoutput::Tuple* filling) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < tuple.size() && i < relation.columns.size(); ++i) {
    const auto& column = relation.columns[i];
    if (only_key && !column.key) continue;
    const bool filled = tuple[i].kind == pgoutput::Value::Kind::unchanged && filling != nullptr &&
                        i < filling->size();
    const pgoutput::Value& value = filled ? (*filling)[i] : tuple[i];
    Column made{column.name, "null"};
    if (value.kind == pgoutput::Value::Kind::unchanged) {
      made.json.clear();
      made.unchanged = true;
    } else if (value.kind == pgoutput::Value::Kind::text) {
      made.json = values_.json(column.type, value.text);
    }
    columns.push_back(std::move(made));
  }
  return Row(std::move(columns));
}

}  // namespace peal::monitor
