#pragma once
// Base64 (RFC 4648, with padding), for bytes inside JSON.

#include <optional>
#include <string>
#include <string_view>

namespace peal {

void append_base64(std::string& out, std::string_view bytes);
/// Null when `text` is not base64 of something, written in the one way there is.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace peal
