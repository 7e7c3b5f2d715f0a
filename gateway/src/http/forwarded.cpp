#include "http/forwarded.hpp"

#include <algorithm>
#include <ranges>

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

/// Of `for=1.2.3.4;proto=https`: what `for` says, without quotes; none when it isn't said.
std::optional<std::string_view> for_parameter(std::string_view element) {
  while (!element.empty()) {
    const auto end = std::min(element.find(';'), element.size());
    const std::string_view pair = trim(element.substr(0, end));
    element.remove_prefix(std::min(end + 1, element.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    if (!equal_ignoring_case(pair.substr(0, equals), "for")) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

/// RFC 7239: a proxy may say that it doesn't know, or give a name that only it understands.
bool hidden(std::string_view node) {
  return equal_ignoring_case(node, "unknown") || node.starts_with('_');
}

/// The last element; commas in quotes are not looked for, since a client could leave one open.
std::string_view take_last(std::string_view& list) {
  const auto comma = list.rfind(',');
  const std::string_view last =
      trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return last;
}

}  // namespace

ForwardedFor forwarded_for(const Request& request, ForwardedHeader header,
                           const Networks& trusted) {
  const bool plain = header == ForwardedHeader::x_forwarded_for;
  ForwardedFor found;
  for (const auto& [name, value] : std::views::reverse(request.headers)) {
    if (!equal_ignoring_case(name, plain ? "X-Forwarded-For" : "Forwarded")) continue;
    for (std::string_view list = value; !list.empty();) {
      const std::string_view element = take_last(list);
      if (element.empty()) continue;
      const auto node = plain ? element : for_parameter(element);
      if (!node || hidden(*node)) return found;
      const auto address = NetAddress::parse(*node);
      if (!address) {
        found.broken = true;
        return found;
      }
      found.client = address;
      if (!trusted.contains(*address)) return found;
    }
  }
  return found;
}

}  // namespace peal::gateway::http
