#include "http/query.hpp"

#include <algorithm>

#include "http/percent.hpp"

namespace peal::gateway::http {

namespace {

/// The first pair of that name, and where its value begins.
struct Found {
  std::string_view pair;
  std::size_t value;
};
std::optional<Found> find(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals)) == name)
      return Found{pair, std::min(equals + 1, pair.size())};
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  const auto found = find(query, name);
  if (!found) return std::nullopt;
  return percent_decode(found->pair.substr(found->value));
}

bool query_has(std::string_view query, std::string_view name) {
  return find(query, name).has_value();
}

}  // namespace peal::gateway::http
