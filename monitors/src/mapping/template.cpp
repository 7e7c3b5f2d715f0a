#include "peal/monitor/template.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

namespace peal::monitor {
namespace {

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Reads "a.b.c}" or 'a."b c"}' from `at` on, which it moves behind the brace; empty: it is none.
std::vector<std::string> read_path(std::string_view text, std::size_t& at) {
  std::vector<std::string> path;
  std::size_t here = at;
  while (true) {
    std::string part;
    if (!path.empty() && here < text.size() && text[here] == '"') {
      const auto end = text.find('"', here + 1);
      if (end == std::string_view::npos) return {};
      part = text.substr(here + 1, end - here - 1);
      here = end + 1;
    } else {
      while (here < text.size() && is_name(text[here]))
        part += text[here++];
    }
    if (part.empty() || here == text.size()) return {};
    path.push_back(std::move(part));
    if (text[here] == '}') break;
    if (text[here++] != '.') return {};
  }
  at = here + 1;
  return path;
}

std::string dotted(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& part : path)
    out += (out.empty() ? "" : ".") + part;
  return '{' + out + '}';
}

const Row* other_side(const Change& change, bool is_new) {
  const auto& wanted = is_new ? change.new_row : change.old_row;
  const auto& instead = is_new ? change.old_row : change.new_row;
  if (wanted) return &*wanted;
  return instead ? &*instead : nullptr;
}

/// A JSON value; null: there is none.
std::optional<std::string> look_up(const std::vector<std::string>& path, const Scope& scope,
                                   Template::From from, JsonReader& reader) {
  const std::string& first = path.front();
  const bool of_table = from == Template::From::table;
  const auto text = [](std::string_view value) {
    std::string json;
    append_json_text(json, value);
    return json;
  };
  if (path.size() == 1 && first == "table") return text(scope.change.table);
  if (of_table && path.size() == 1 && first == "schema") return text(scope.change.schema);
  if (of_table && path.size() == 1 && first == "event") return text(name_of(scope.event));
  const Row* row = scope.row;
  std::size_t at = 0;
  const bool is_field = !of_table && row != nullptr && row->find(first) != nullptr;
  if (!is_field && (first == "new" || first == "old")) {
    if (path.size() == 1) {
      const auto& whole = first == "new" ? scope.change.new_row : scope.change.old_row;
      return whole ? whole->json() : "null";
    }
    row = other_side(scope.change, first == "new");
    at = 1;
  }
  const Column* column = row == nullptr ? nullptr : row->find(path[at]);
  if (column == nullptr || column->unchanged) return std::nullopt;
  std::string json = column->json;
  while (++at < path.size()) {
    if (!json.starts_with('{')) return "null";
    const auto fields = reader.fields(json);
    if (!fields) return std::nullopt;
    const auto field = std::ranges::find(**fields, std::string_view(path[at]), &JsonField::key);
    if (field == (*fields)->end()) return "null";
    json = std::string(field->raw);
  }
  return json;
}

}  // namespace

Result<Template> Template::parse(std::string_view text, Form form, From from) {
  Template made;
  made.form_ = form;
  made.from_ = from;
  Piece piece;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '{') {
      std::size_t after = at + 1;
      auto path = read_path(text, after);
      if (!path.empty()) {
        piece.path = std::move(path);
        piece.quoted = quoted;
        made.pieces_.push_back(std::move(piece));
        piece = {};
        at = after;
        continue;
      }
      if (form == Form::text) {
        return fail(ErrorCode::config_invalid, std::string(text) + ": at character " +
                                                   std::to_string(at + 1) +
                                                   ": no placeholder like {name} or {new.name}");
      }
    }
    if (form == Form::json && quoted && c == '\\' && at + 1 < text.size()) {
      piece.literal += c;
      ++at;
    } else if (form == Form::json && c == '"') {
      quoted = !quoted;
    }
    piece.literal += text[at++];
  }
  if (!piece.literal.empty()) made.pieces_.push_back(std::move(piece));
  if (form == Form::json && !made.empty()) {
    // Tried with values that are in place anywhere, so that a mistake is found at start.
    std::string sample;
    for (const Piece& each : made.pieces_)
      sample += each.literal + (each.path.empty() || each.quoted ? "" : "null");
    JsonReader reader;
    if (auto valid = reader.validate(sample); !valid)
      return fail(ErrorCode::config_invalid, "not JSON: " + valid.error().message);
  }
  return made;
}

Result<std::string> Template::fill(const Scope& scope, JsonReader& reader) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    out += piece.literal;
    if (piece.path.empty()) continue;
    auto json = look_up(piece.path, scope, from_, reader);
    if (form_ == Form::json && !piece.quoted) {
      out += json.value_or("null");
      continue;
    }
    const auto text = json ? scalar_text(*json) : std::nullopt;
    if (form_ == Form::json) {
      std::string string;
      append_json_text(string, text.value_or(""));
      out += string.substr(1, string.size() - 2);
    } else if (text && !text->empty()) {
      out += *text;
    } else {
      return fail(ErrorCode::channel_name_invalid,
                  dotted(piece.path) + (!json || *json == "null" ? " is NULL or not told"
                                        : text                   ? " is empty"
                                               : " is neither text, a number nor a boolean"));
    }
  }
  return out;
}

bool Template::needs_row() const {
  return std::ranges::any_of(pieces_, [this](const Piece& piece) {
    if (piece.path.empty()) return false;
    const std::string& first = piece.path.front();
    if (from_ == From::message) return piece.path.size() > 1 || first != "table";
    return piece.path.size() > 1 || (first != "table" && first != "schema" && first != "event" &&
                                     first != "new" && first != "old");
  });
}

std::vector<std::string> Template::columns() const {
  std::vector<std::string> names;
  for (const Piece& piece : pieces_) {
    if (piece.path.empty()) continue;
    const std::string& first = piece.path.front();
    const bool side = first == "new" || first == "old";
    const bool fixed = first == "table" || first == "schema" || first == "event" || side;
    if (piece.path.size() == 1 && fixed) continue;
    const std::string& name = side ? piece.path[1] : first;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace peal::monitor
