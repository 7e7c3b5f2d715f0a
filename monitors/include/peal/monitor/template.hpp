#pragma once
// A text with placeholders that a change fills: a channel, a key, or a JSON payload.
//   placeholder := '{' part { '.' part } '}'      part := letters, digits, _ and $ | "any text"
// {table} {schema} {event}; {new} {old} a whole row; {new.x} {old.x} a column, and where there is
// only one row, that one; {x} a column of the row that the publication is about (of both, where a
// row moves from one channel to another); further parts lead into a JSON value. What is filled in
// is never read as a template again. In a payload a placeholder outside of quotes is a JSON value,
// within quotes text; `{` before anything but a name is JSON's own. Immutable after parsing.
// Of a message, which is no row of a table, {schema} and {event} are fields like others, and so are
// {new} and {old} where it has such.

#include <string>
#include <string_view>
#include <vector>

#include "peal/monitor/change.hpp"

namespace peal::monitor {

/// What a template is filled from.
struct Scope {
  const Change& change;
  const Row* row;  ///< the one that {x} names; null: none (a truncate)
  Event event;
};

class Template {
 public:
  enum class Form : std::uint8_t { text, json };
  /// What it is filled from.
  enum class From : std::uint8_t { table, message };
  static Result<Template> parse(std::string_view text, Form form, From from = From::table);

  /// The error says which placeholder has no value: NULL, or no scalar, or not told by the source.
  Result<std::string> fill(const Scope& scope, JsonReader& reader) const;
  bool empty() const { return pieces_.empty(); }
  /// Whether it needs a row.
  bool needs_row() const;
  /// The columns that it names, each once.
  std::vector<std::string> columns() const;

 private:
  struct Piece {
    std::string literal;  ///< before the placeholder
    std::vector<std::string> path;
    bool quoted = false;  ///< in a payload: within a JSON string
  };
  std::vector<Piece> pieces_;
  Form form_ = Form::text;
  From from_ = From::table;
};

}  // namespace peal::monitor
