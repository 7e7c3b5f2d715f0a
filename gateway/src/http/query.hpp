#pragma once
// A request's query, "a=1&b=%41". Pure.

#include <optional>
#include <string>
#include <string_view>

namespace peal::gateway::http {

/// The first value of that name, percent-decoded; empty when it has none ("?state"). Null when it
/// isn't there, or can't be decoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// Whether there is such a name, whatever its value.
bool query_has(std::string_view query, std::string_view name);

}  // namespace peal::gateway::http
