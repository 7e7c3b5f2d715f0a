#include "peal/proto/position.hpp"

#include <algorithm>
#include <charconv>

#include "peal/proto/publication.hpp"

namespace peal {
namespace {

bool base62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Decimal digits only, no sign, no leading zero but "0" itself.
std::optional<std::uint64_t> parse_uint(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Epoch> Epoch::parse(std::string_view text) {
  if (text.size() != kSize || !std::ranges::all_of(text, base62)) return std::nullopt;
  Epoch epoch;
  std::ranges::copy(text, epoch.text_.begin());
  return epoch;
}

std::string Position::to_string() const {
  return std::string(epoch.view()) + '-' + std::to_string(offset.value);
}

std::optional<Position> Position::parse(std::string_view text) {
  if (text.size() < Epoch::kSize + 2 || text[Epoch::kSize] != '-') return std::nullopt;
  const auto epoch = Epoch::parse(text.substr(0, Epoch::kSize));
  const auto offset = parse_uint(text.substr(Epoch::kSize + 1));
  if (!epoch || !offset || *offset > kOffsetMax.value) return std::nullopt;
  return Position{*epoch, {*offset}};
}

std::string Sequence::to_string() const {
  return std::to_string(major) + '-' + std::to_string(minor);
}

std::optional<Sequence> Sequence::parse(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto major = parse_uint(text.substr(0, dash));
  const auto minor = parse_uint(text.substr(dash + 1));
  if (!major || !minor) return std::nullopt;
  return Sequence{*major, *minor};
}

}  // namespace peal
