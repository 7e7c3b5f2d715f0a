#include "session/json_protocol_diagnose.hpp"

#include <optional>
#include <vector>

namespace peal::gateway {
namespace {

bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Walks text that only resembles JSON: strings end at an unescaped quote, brackets are counted.
class Outline {
 public:
  explicit Outline(std::string_view text) : text_(text) {}

  /// The raw value of the last member of that name, when the outline can be followed that far.
  std::optional<std::string_view> member(std::string_view name) {
    std::optional<std::string_view> found;
    at_ = 0;
    skip_space();
    if (!take('{')) return found;
    for (;;) {
      skip_space();
      const auto key = take_string();
      if (!key) return found;
      skip_space();
      if (!take(':')) return found;
      skip_space();
      const std::size_t begin = at_;
      if (!skip_value()) return found;
      std::size_t end = at_;
      while (end > begin && space(text_[end - 1]))
        --end;
      if (*key == name) found = text_.substr(begin, end - begin);
      if (!take(',')) return found;
    }
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && space(text_[at_]))
      ++at_;
  }
  std::optional<std::string_view> take_string() {
    if (!take('"')) return std::nullopt;
    const std::size_t begin = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        return text_.substr(begin, at_++ - begin);
      }
    }
    return std::nullopt;
  }
  /// Up to the comma or bracket that ends the value; false when the text ends before.
  bool skip_value() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!take_string()) return false;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) return true;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

CommandError diagnose(JsonReader& reader, std::string_view message, const Error& why,
                      std::size_t depth_max) {
  CommandError result{std::nullopt, fail(ErrorCode::command_invalid, why.message)};
  Outline command(message);
  if (const auto id = command.member("id")) {
    result.id = JsonReader::as_uint(*id);
    if (result.id == 0U) result.id.reset();
  }
  const auto payload = command.member("payload");
  if (!payload) return result;
  if (const auto inner = Outline(*payload).member("message")) {
    const auto valid = reader.validate(*inner, depth_max);
    if (valid.has_error()) {
      result.error =
          fail(ErrorCode::message_invalid, "the field message: " + valid.error().message);
    }
  }
  return result;
}

}  // namespace peal::gateway
