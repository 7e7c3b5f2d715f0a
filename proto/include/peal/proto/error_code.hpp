#pragma once
// The one table of error codes: the name on every wire, whether trying again later may help
// ("temporary"), the HTTP status of the same error, and what it means. Docs are generated from it.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace peal {

// X(name, temporary, http_status, meaning)
#define PEAL_ERROR_CODES(X)                                                                     \
  X(command_invalid, false, 400, "The message is not a command: broken JSON or a wrong field")  \
  X(action_unknown, false, 400, "No such action")                                               \
  X(channel_name_invalid, false, 400, "1 to 255 bytes of UTF-8 without control characters")     \
  X(message_invalid, false, 400, "The message is not valid JSON")                               \
  X(message_too_large, false, 413, "The message is larger than limits.message_bytes_max")       \
  X(permission_denied, false, 403, "No channel rule allows this")                               \
  X(token_invalid, false, 401, "The key or token is not known here")                            \
  X(origin_refused, false, 403, "This Origin is not in allowed_origins")                        \
  X(host_refused, false, 421, "This Host is not in allowed_hosts")                              \
  X(not_found, false, 404, "Nothing is here")                                                   \
  X(method_not_allowed, false, 405, "This path does not take that method")                      \
  X(not_acceptable, false, 406, "None of the accepted types can be served")                     \
  X(length_required, false, 411, "The request needs a length")                                  \
  X(header_too_large, false, 431, "The request header is larger than limits.header_bytes_max")  \
  X(body_too_large, false, 413, "The body is larger than its limit")                            \
  X(request_invalid, false, 400, "Not a valid HTTP request")                                    \
  X(request_timeout, true, 408, "The request did not arrive within its deadline")               \
  X(upgrade_required, false, 426, "This path speaks WebSocket")                                 \
  X(subscriptions_max, false, 429, "The session has limits.subscriptions_max subscriptions")    \
  X(commands_pending_max, true, 429, "Too many unanswered commands")                            \
  X(channels_per_publish_max, false, 400, "More channels than limits.channels_per_publish_max") \
  X(publish_rate_max, true, 429, "More commands a second than limits.commands_per_second_max")  \
  X(sessions_max, true, 503, "The gateway has limits.sessions_max sessions")                    \
  X(publish_outcome_unknown, true, 504, "It may or may not have been appended")                 \
  X(broker_unavailable, true, 503, "No broker can be reached; nothing was appended")            \
  X(overloaded, true, 503, "A queue is full; nothing was appended")                             \
  X(not_ready, true, 503, "Starting; try again")                                                \
  X(not_owner, true, 503, "Another broker serves this channel; nothing was appended")           \
  X(draining, true, 503, "Stopping; connect to another gateway")                                \
  X(expectation_failed, false, 412, "The position is not the expected one")                     \
  X(sequence_gap, true, 409, "previous is not the sequence remembered of this source")          \
  X(idempotency_conflict, false, 422, "The Idempotency-Key was used with another body")         \
  X(position_lost, false, 410, "The log no longer covers that position")                        \
  X(log_full, false, 507, "The file has its history_bytes_max or history_length_max")           \
  X(storage_unavailable, true, 503, "The log's storage can't be written; nothing was appended") \
  X(gone, false, 410, "It was deleted")                                                         \
  X(match_required, false, 428, "The rule wants If-Match or If-None-Match (require_match)")     \
  X(range_invalid, false, 416, "No such range of bytes is here")                                \
  X(not_a_file, false, 404, "No channel rule makes this channel a file")                        \
  X(not_recoverable, false, 400, "The channel keeps no log: it has no position")                \
  X(hello_required, true, 400, "The link has not said Hello")                                   \
  X(version_unsupported, false, 400, "No common version of the bus protocol")                   \
  X(cluster_mismatch, false, 400, "The other side belongs to another cluster")                  \
  X(members_mismatch, false, 400, "The other side has another list of brokers")                 \
  X(session_not_found, false, 404, "No such session here")                                      \
  X(config_invalid, false, 400, "The configuration is not usable")                              \
  X(hook_failed, true, 500, "The application's hook failed or missed its deadline")             \
  X(internal_error, true, 500, "A defect of Peal; see the log")

enum class ErrorCode : std::uint8_t {
#define X(name, temporary, http_status, meaning) name,
  PEAL_ERROR_CODES(X)
#undef X
};

struct ErrorInfo {
  std::string_view name;
  bool temporary;
  std::uint16_t http_status;
  std::string_view meaning;
};

const ErrorInfo& info(ErrorCode code);
std::optional<ErrorCode> error_code_from_name(std::string_view name);
std::span<const ErrorInfo> error_code_table();

}  // namespace peal
