#pragma once
// A row of a table, column by column, each value as JSON text: what Postgres's to_jsonb gives. A
// value that the source did not send (a long one that the update left alone) is `unchanged`, which
// is not null. Pure values; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/json.hpp"

namespace peal::monitor {

struct Column {
  std::string name;
  std::string json;        ///< one JSON value; empty when unchanged
  bool unchanged = false;  ///< there is a value, but the source has not told it
};

class Row {
 public:
  Row() = default;
  explicit Row(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Of a JSON object that the source has made.
  static Result<Row> parse(std::string_view object, JsonReader& reader);

  /// Null when there is no such column.
  const Column* find(std::string_view name) const;
  const std::vector<Column>& columns() const { return columns_; }
  /// As a JSON object; unchanged columns are left out.
  std::string json() const;
  std::vector<std::string> unchanged() const;

 private:
  std::vector<Column> columns_;
};

/// The text of a JSON string, number or boolean; null for null, objects and arrays.
std::optional<std::string> scalar_text(std::string_view json);

}  // namespace peal::monitor
