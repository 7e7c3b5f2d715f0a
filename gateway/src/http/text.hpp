#pragma once
// Small things that HTTP needs of text: ASCII case, and walking comma-separated lists. Pure.

#include <algorithm>
#include <string>
#include <string_view>

namespace peal::gateway::http {

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

inline std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// Takes the next element of a comma-separated list, blanks cut; empty elements are passed over.
/// False at the end.
inline bool next_element(std::string_view& list, std::string_view& element) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    element = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return true;
  }
  return false;
}

/// Whether a list header has this token, whatever its case.
inline bool has_token(std::string_view list, std::string_view token) {
  std::string_view element;
  while (next_element(list, element)) {
    if (equal_ignoring_case(element, token)) return true;
  }
  return false;
}

}  // namespace peal::gateway::http
