#pragma once
// The control protocol without its socket: a command's bytes in, the reply's bytes out. Pure.
//
//   {"id"?: 7, "action": "publish", "payload"?: {…}}  ->  {"id"?: 7, "result": …}
//                                                        {"id"?: 7, "error": {"code", "message",
//                                                        "temporary"}}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"

namespace peal::runtime {

struct ControlCommand {
  std::optional<std::uint64_t> id;
  std::string action;
  std::string_view payload = "{}";  ///< a JSON object; lives as long as the command's bytes
};

/// The id is set as far as it could be read, so that an error can carry it.
Result<ControlCommand> parse_control_command(JsonReader& reader, std::string_view text,
                                             const Limits& limits,
                                             std::optional<std::uint64_t>& id);

std::string control_result(std::optional<std::uint64_t> id, std::string_view json);
std::string control_error(std::optional<std::uint64_t> id, const Error& error);

}  // namespace peal::runtime
