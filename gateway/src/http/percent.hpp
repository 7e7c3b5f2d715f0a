#pragma once
// Percent-encoding of URIs (RFC 3986). Pure.

#include <optional>
#include <string>
#include <string_view>

namespace peal::gateway::http {

/// Null when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace peal::gateway::http
