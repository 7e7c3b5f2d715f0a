#pragma once
// simdjson's one door. `validate` checks a whole document (syntax, UTF-8, escapes, lone surrogates,
// depth) and keeps nothing; JsonReader walks an object's fields and gives each value's raw bytes,
// so that a message inside a command is validated once and passed through byte for byte. Not thread
// safe: one per thread (it owns the parser's buffers).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal {

/// One field of an object; `raw` are the value's bytes in the input, white space around it cut.
struct JsonField {
  std::string_view key;  ///< unescaped; in the reader's arena when it had escapes
  std::string_view raw;
};

/// A member of an object, or of an object that is itself a member of it.
struct JsonMember {
  static constexpr std::uint32_t kOutermost = 0xffffffff;
  std::string_view key;               ///< unescaped
  std::string_view raw;               ///< the value's bytes in the input
  std::uint32_t parent = kOutermost;  ///< index of the member that it is in
};

class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(JsonReader&&) noexcept;

  /// Whether `text` is one whole valid JSON value no deeper than `depth_max`.
  Result<void> validate(std::string_view text, std::size_t depth_max = 1024);

  /// As `validate`, and the members of the object `text` with those of its members that are
  /// objects, in order, duplicates included, all in one walk. Empty for what is no object. Lives
  /// until the next `outline`; the raws as long as `text`.
  Result<const std::vector<JsonMember>*> outline(std::string_view text,
                                                 std::size_t depth_max = 1024);

  /// The top-level fields of the object `text`, in order, duplicates included. `text` must have
  /// passed `validate` (or be a `raw` of one that has). The vector and its keys live until the next
  /// `fields`; the raws as long as `text`.
  Result<std::vector<JsonField>*> fields(std::string_view text);
  /// The elements of the array `text`, likewise.
  Result<std::vector<std::string_view>*> elements(std::string_view text);

  /// Scalars of a `raw`; null when it is of another type or does not fit.
  static std::optional<std::uint64_t> as_uint(std::string_view raw);
  static std::optional<bool> as_bool(std::string_view raw);
  static bool is_utf8(std::string_view bytes);
  /// The unescaped text of a JSON string.
  static std::optional<std::string> as_string(std::string_view raw);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Appends `text` as a JSON string, quotes included. `text` must be UTF-8.
void append_json_string(std::string& out, std::string_view text);
/// Likewise for bytes of any kind (a client's, say): what is not UTF-8 becomes U+FFFD.
void append_json_text(std::string& out, std::string_view bytes);

}  // namespace peal
