#pragma once
// Whether bytes are UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Pure ASCII,
// the common case, is skipped sixteen bytes at a time.

#include <string_view>

namespace peal::gateway::websocket {

bool valid_utf8(std::string_view text);

}  // namespace peal::gateway::websocket
