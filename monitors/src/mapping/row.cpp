#include "peal/monitor/row.hpp"

#include <algorithm>

namespace peal::monitor {

Result<Row> Row::parse(std::string_view object, JsonReader& reader) {
  const auto fields = reader.fields(object);
  if (!fields) return fields.error();
  std::vector<Column> columns;
  columns.reserve((*fields)->size());
  for (const JsonField& field : **fields)
    columns.push_back({std::string(field.key), std::string(field.raw)});
  return Row(std::move(columns));
}

const Column* Row::find(std::string_view name) const {
  const auto at = std::ranges::find(columns_, name, &Column::name);
  return at == columns_.end() ? nullptr : &*at;
}

std::string Row::json() const {
  std::string out = "{";
  for (const Column& column : columns_) {
    if (column.unchanged) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, column.name);
    out += ':';
    out += column.json;
  }
  return out + '}';
}

std::vector<std::string> Row::unchanged() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) {
    if (column.unchanged) names.push_back(column.name);
  }
  return names;
}

std::optional<std::string> scalar_text(std::string_view json) {
  if (json.empty() || json == "null") return std::nullopt;
  if (json.front() == '"') return JsonReader::as_string(json);
  if (json.front() == '{' || json.front() == '[') return std::nullopt;
  return std::string(json);
}

}  // namespace peal::monitor
