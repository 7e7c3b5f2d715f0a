#include "session/stream_cursor.hpp"

#include <array>
#include <charconv>

namespace peal::gateway {
namespace {

using Place = StreamCursor::Place;

constexpr std::string_view kVersion = "1.";

std::optional<Place> parse_place(std::string_view text) {
  if (text == "*") return Place{};
  if (text == "-") return Place{Place::Kind::ephemeral, {}};
  const auto position = Position::parse(text);
  if (!position) return std::nullopt;
  return Place{Place::Kind::at, *position};
}

Error not_a_token(const std::string& why) {
  return fail(ErrorCode::request_invalid, "the id or cursor is not one of this stream: " + why);
}

}  // namespace

Result<StreamCursor> StreamCursor::parse(std::string_view token, std::size_t channels) {
  if (channels != 1) {
    if (!token.starts_with(kVersion)) return not_a_token("it has another form");
    token.remove_prefix(kVersion.size());
  }
  StreamCursor cursor(channels);
  for (std::size_t i = 0; i < channels; ++i) {
    const bool last = i + 1 == channels;
    const std::size_t end = last ? token.size() : token.find('.');
    if (end == std::string_view::npos) return not_a_token("it is about fewer channels");
    const auto place = parse_place(token.substr(0, end));
    if (!place) return not_a_token(last ? "its end is no position" : "a position is not valid");
    cursor.places_[i] = *place;
    if (!last) token.remove_prefix(end + 1);
  }
  return cursor;
}

void StreamCursor::append_to(std::string& out) const {
  if (places_.size() != 1) out += kVersion;
  bool first = true;
  for (const Place& place : places_) {
    if (!first) out += '.';
    first = false;
    if (place.kind == Place::Kind::at) {
      std::array<char, 20> digits;
      const auto end =
          std::to_chars(digits.data(), digits.data() + digits.size(), place.position.offset.value)
              .ptr;
      (out += place.position.epoch.view()) += '-';
      out.append(digits.data(), end);
    } else {
      out += place.kind == Place::Kind::ephemeral ? '-' : '*';
    }
  }
}

std::string StreamCursor::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

}  // namespace peal::gateway
