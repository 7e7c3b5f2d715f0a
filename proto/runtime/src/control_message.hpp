#pragma once
// The control protocol without its socket: a command's bytes in, the reply's bytes out. Pure.
//
// The id is any JSON that the client chose; it comes back byte for byte.
//
//   {"id"?: 7, "action": "publish", "payload"?: {…}}  ->  {"id"?: 7, "result": …}
//                                                        {"id"?: 7, "error": {"code", "message",
//                                                        "temporary"}}

#include <string>
#include <string_view>

#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"

namespace peal::runtime {

struct ControlCommand {
  std::string action;
  std::string_view payload = "{}";  ///< a JSON object; lives as long as the command's bytes
};

/// `id` becomes the command's, as far as it could be read, so that an error can carry it; empty:
/// none.
Result<ControlCommand> parse_control_command(JsonReader& reader, std::string_view text,
                                             const Limits& limits, std::string& id);

std::string control_result(std::string_view id, std::string_view json);
std::string control_error(std::string_view id, const Error& error);

}  // namespace peal::runtime
