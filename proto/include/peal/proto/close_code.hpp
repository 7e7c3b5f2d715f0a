#pragma once
// The one table of WebSocket close codes that Peal sends, and whether a client that gets one may
// reconnect by itself. 3000-3499 may, 3500-3999 must not; docs are generated from it.

#include <cstdint>
#include <span>
#include <string_view>

namespace peal {

// X(name, number, may_reconnect, meaning)
#define PEAL_CLOSE_CODES(X)                                                                 \
  X(normal, 1000, false, "Done")                                                            \
  X(going_away, 1001, true, "The other side is going away")                                 \
  X(protocol_error, 1002, true, "A broken WebSocket frame")                                 \
  X(invalid_payload, 1007, true, "A text message is not UTF-8")                             \
  X(policy_violation, 1008, false, "The request breaks a rule of this server")              \
  X(too_big, 1009, true, "A message is larger than limits.message_bytes_max")               \
  X(internal_error, 1011, true, "A defect of the server")                                   \
  X(restarting, 1012, true, "The gateway is draining or restarting: reconnect")             \
  X(slow_consumer, 3000, true, "The client reads too slowly: its queue or its age is full") \
  X(heartbeat_timeout, 3001, true, "No answer to a ping")                                   \
  X(flooding, 3002, true, "The client sends faster than limits allow")                      \
  X(disconnected, 3003, true, "An operator closed the session")                             \
  X(disconnected_for_good, 3500, false, "An operator closed the session: do not return")    \
  X(token_invalid, 3501, false, "The key or token is not known here")

enum class CloseCode : std::uint16_t {
#define X(name, number, may_reconnect, meaning) name = number,
  PEAL_CLOSE_CODES(X)
#undef X
};

struct CloseInfo {
  std::string_view name;
  std::uint16_t number;
  bool may_reconnect;
  std::string_view meaning;
};

const CloseInfo& info(CloseCode code);
std::span<const CloseInfo> close_code_table();

}  // namespace peal
