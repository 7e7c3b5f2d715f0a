#pragma once
// The cold path of the JSON protocol: what was wrong with a message that is not valid JSON. It
// walks the outline of the command leniently, so that the error carries the command's id and tells
// a broken `message` (message_invalid) from a broken command (command_invalid). Pure.

#include <string_view>

#include "peal/proto/json.hpp"
#include "session/protocol.hpp"

namespace peal::gateway {

/// `why`: what the validator said about the whole. `depth_max` is that of a message.
CommandError diagnose(JsonReader& reader, std::string_view message, const Error& why,
                      std::size_t depth_max);

}  // namespace peal::gateway
