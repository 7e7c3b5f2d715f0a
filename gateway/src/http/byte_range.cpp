#include "http/byte_range.hpp"

#include <algorithm>
#include <charconv>

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kUnit = "bytes";

/// Digits only; a number too large for anything we have is the largest there is.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return UINT64_MAX;
  return value;
}

}  // namespace

RangeAnswer resolve_range(std::string_view header, std::uint64_t size) {
  using Kind = RangeAnswer::Kind;
  const RangeAnswer whole{Kind::whole, {0, size}};
  const auto equals = header.find('=');
  if (equals == std::string_view::npos ||
      !equal_ignoring_case(trim(header.substr(0, equals)), kUnit))
    return whole;
  std::string_view list = header.substr(equals + 1);
  std::string_view spec;
  std::string_view other;
  if (!next_element(list, spec) || next_element(list, other)) return whole;
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return whole;
  const std::string_view before = trim(spec.substr(0, dash));
  const std::string_view after = trim(spec.substr(dash + 1));
  const auto last = parse_number(after);
  if (before.empty()) {
    if (!last) return whole;
    const std::uint64_t length = std::min(*last, size);
    if (length == 0) return {Kind::unsatisfiable, {}};
    return {Kind::part, {size - length, size}};
  }
  const auto first = parse_number(before);
  if (!first || (!last && !after.empty()) || (last && *last < *first)) return whole;
  if (*first >= size) return {Kind::unsatisfiable, {}};
  const std::uint64_t end = last && *last < size ? *last + 1 : size;
  return {Kind::part, {*first, end}};
}

std::optional<ByteRange> parse_append_range(std::string_view header) {
  header = trim(header);
  if (header.size() <= kUnit.size() ||
      !equal_ignoring_case(header.substr(0, kUnit.size()), kUnit) || header[kUnit.size()] != ' ')
    return std::nullopt;
  const std::string_view rest = trim(header.substr(kUnit.size()));
  const auto dash = rest.find('-');
  const auto slash = rest.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash ||
      rest.substr(slash + 1) != "*")
    return std::nullopt;
  const auto first = parse_number(rest.substr(0, dash));
  const auto last = parse_number(rest.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  return ByteRange{*first, *last + 1};
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.end - 1) + '/' +
         std::to_string(size);
}

std::string content_range(std::uint64_t size) {
  return "bytes */" + std::to_string(size);
}

}  // namespace peal::gateway::http
