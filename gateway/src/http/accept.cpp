#include "http/accept.hpp"

#include <algorithm>
#include <optional>

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

struct MediaRange {
  std::string_view type;
  unsigned quality = 1000;
};

/// "0.25" -> 250; null when it isn't a weight.
std::optional<unsigned> parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  unsigned quality = text[0] == '1' ? 1000 : 0;
  unsigned place = 100;
  for (const char c : text.substr(std::min<std::size_t>(text.size(), 2))) {
    if (c < '0' || c > '9') return std::nullopt;
    quality += static_cast<unsigned>(c - '0') * place;
    place /= 10;
  }
  if (quality > 1000) return std::nullopt;
  return quality;
}

/// The next element that is a media range; null at the end.
std::optional<MediaRange> next_range(std::string_view& list) {
  std::string_view element;
  while (next_element(list, element)) {
    MediaRange range;
    auto semicolon = std::min(element.find(';'), element.size());
    range.type = trim(element.substr(0, semicolon));
    const auto slash = range.type.find('/');
    if (slash == 0 || slash == std::string_view::npos || slash + 1 == range.type.size()) continue;
    bool understood = true;
    while (semicolon < element.size()) {
      const auto end = std::min(element.find(';', semicolon + 1), element.size());
      const std::string_view parameter = trim(element.substr(semicolon + 1, end - semicolon - 1));
      if (parameter.size() > 1 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
        const auto quality = parse_quality(parameter.substr(2));
        understood = quality.has_value();
        range.quality = quality.value_or(0);
      }
      semicolon = end;
    }
    if (understood) return range;
  }
  return std::nullopt;
}

/// As in Wish; 0: it doesn't match.
unsigned specificity(std::string_view range, std::string_view type) {
  if (equal_ignoring_case(range, type)) return 3;
  if (range == "*/*") return 1;
  const bool all_of_it =
      range.ends_with("/*") && type.size() > range.size() - 1 &&
      equal_ignoring_case(range.substr(0, range.size() - 1), type.substr(0, range.size() - 1));
  return all_of_it ? 2 : 0;
}

}  // namespace

Wish wish_for(std::string_view accept, std::string_view type) {
  Wish wish{0, 0};
  bool any = false;
  while (const auto range = next_range(accept)) {
    any = true;
    const unsigned exact = specificity(range->type, type);
    if (exact > wish.specificity) wish = {range->quality, exact};
  }
  return any ? wish : Wish{1000, 0};
}

bool named_first(std::string_view accept, std::string_view type) {
  unsigned best = 0;
  bool found = false;
  while (const auto range = next_range(accept)) {
    if (range->quality <= best) continue;
    best = range->quality;
    found = specificity(range->type, type) == 3;
  }
  return found;
}

}  // namespace peal::gateway::http
