#pragma once
// What the command line does with JSON, on top of proto's reader: look into an object by name,
// build one member by member, and cut the white space between tokens so that a value fits on one
// line. Values stay the bytes they were: numbers and strings are never read and written again.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/proto/json.hpp"

namespace peal::cli {

/// The members of one JSON object; owns its text. Not an object: no members.
class JsonObject {
 public:
  JsonObject() = default;
  /// `text` must be valid JSON, or a part of one that is.
  explicit JsonObject(std::string_view text);

  bool has(std::string_view name) const { return !raw(name).empty(); }
  std::string_view raw(std::string_view name) const;  ///< empty: not there
  std::string text(
      std::string_view name) const;  ///< of a string, or the raw bytes of anything else
  std::uint64_t number(std::string_view name) const;  ///< 0 when not there or no whole number
  bool boolean(std::string_view name) const;
  JsonObject object(std::string_view name) const { return JsonObject(raw(name)); }
  std::vector<JsonObject> objects(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& members() const { return members_; }

 private:
  std::vector<std::pair<std::string, std::string>> members_;
};

/// {"a": …} a member at a time.
class JsonBuilder {
 public:
  JsonBuilder& text(std::string_view name, std::string_view value);
  JsonBuilder& raw(std::string_view name, std::string_view json);
  JsonBuilder& number(std::string_view name, std::uint64_t value);
  JsonBuilder& number(std::string_view name, double value);
  JsonBuilder& boolean(std::string_view name, bool value);
  std::string str() const { return out_ + "}"; }

 private:
  void name(std::string_view name);
  std::string out_ = "{";
};

std::string json_string(std::string_view text);
/// Valid JSON without the white space between its tokens.
std::string minify(std::string_view json);
/// What a person typed as a message: itself when it is JSON, else a JSON string of it (bytes that
/// are not UTF-8 become U+FFFD).
std::string message_json(JsonReader& reader, std::string_view typed);

}  // namespace peal::cli
