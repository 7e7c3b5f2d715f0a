#include <iterator>

#include "peal/runtime/config.hpp"

namespace peal::runtime {
namespace {

constexpr std::size_t kLimits = 47;
static_assert(sizeof(Limits) == kLimits * sizeof(std::size_t),
              "a limit was added or removed: describe it here");

struct Row {
  const char* key;
  std::size_t Limits::*target;
  const char* help;
  bool zero_allowed = false;
};

constexpr Row kRows[] = {
    {"limits.message_bytes_max", &Limits::message_bytes_max,
     "largest publication: its payload, key, type, tags, source and origin together"},
    {"limits.command_bytes_max", &Limits::command_bytes_max,
     "largest client command: a WebSocket message or an HTTP body that carries one"},
    {"limits.json_depth_max", &Limits::json_depth_max,
     "deepest nesting of arrays and objects in JSON"},
    {"limits.subscriptions_max", &Limits::subscriptions_max, "subscriptions of one session"},
    {"limits.commands_pending_max", &Limits::commands_pending_max,
     "unanswered commands of one session; above, its socket is not read"},
    {"limits.channels_per_publish_max", &Limits::channels_per_publish_max,
     "channels of one publish command"},
    {"limits.commands_per_second_max", &Limits::commands_per_second_max,
     "commands a second of one session, with a burst of one second; 0: no limit", true},
    {"limits.queue_bytes_max", &Limits::queue_bytes_max,
     "bytes queued for one session before its slow-consumer policy acts"},
    {"limits.sessions_max", &Limits::sessions_max, "sessions of one gateway"},
    {"limits.header_bytes_max", &Limits::header_bytes_max, "HTTP request header"},
    {"limits.fragments_max", &Limits::fragments_max, "frames of one fragmented message"},
    {"limits.control_frames_per_second_max", &Limits::control_frames_per_second_max,
     "pings and pongs of one session and second"},
    {"limits.accepts_per_turn_max", &Limits::accepts_per_turn_max,
     "new connections a turn of a shard; TLS handshakes likewise"},
    {"limits.read_bytes_per_turn_max", &Limits::read_bytes_per_turn_max,
     "bytes read of one connection and turn"},
    {"limits.batch_bytes_max", &Limits::batch_bytes_max, "bytes of one batch on the bus"},
    {"limits.link_credit_bytes", &Limits::link_credit_bytes,
     "bytes on the way on one bus link and class before the sender waits"},
    {"limits.page_length_max", &Limits::page_length_max, "publications of one page of history"},
    {"limits.page_bytes_max", &Limits::page_bytes_max,
     "bytes of one page of history, unless one publication alone has more"},
    {"limits.stream_ids_max", &Limits::stream_ids_max,
     "channels of one HTTP stream whose events have ids"},
    {"limits.recovery_pages_max", &Limits::recovery_pages_max,
     "pages of history that one shard holds, or waits for, for those who catch up"},
    {"limits.notice_bytes", &Limits::notice_bytes,
     "on a recoverable channel, a larger payload is not pushed but noticed: subscribers fetch it"},
    {"limits.presence_data_bytes_max", &Limits::presence_data_bytes_max,
     "presence data of one session"},
    {"limits.presence_page_max", &Limits::presence_page_max, "members of one presence answer"},
    {"limits.presence_members_max", &Limits::presence_members_max,
     "members of all channels of one core"},
    {"limits.queries_max", &Limits::queries_max,
     "questions to the whole cluster (disconnect, count) that one peer may have under way"},
    {"limits.query_bytes_max", &Limits::query_bytes_max,
     "bytes of the channels in one answer to such a question; the rest is another page"},
    {"limits.channels_max", &Limits::channels_max, "channels of one core"},
    {"limits.sources_max", &Limits::sources_max, "remembered producers of one channel"},
    {"limits.idempotency_keys_max", &Limits::idempotency_keys_max,
     "remembered Idempotency-Keys of one channel"},
    {"limits.log_bytes_max", &Limits::log_bytes_max,
     "memory of all logs of one core; above, the least recently watched channel's past is given "
     "up (on disk: its index is read again when it is needed)"},
    {"limits.commit_queue_bytes_max", &Limits::commit_queue_bytes_max,
     "logs on disk: bytes of publishes that wait for their commit; above, they are refused"},
    {"limits.disk_free_min", &Limits::disk_free_min,
     "logs on disk: space that must be free, or publishes to them are refused"},
    {"limits.disk_cache_bytes_max", &Limits::disk_cache_bytes_max,
     "logs on disk: memory for blocks that were read"},
};

struct DurationRow {
  const char* key;
  std::chrono::milliseconds Limits::*target;
  const char* help;
};

constexpr DurationRow kDurations[] = {
    {"limits.queue_age_max", &Limits::queue_age_max,
     "age of the oldest queued byte of one session before its slow-consumer policy acts"},
    {"limits.header_timeout", &Limits::header_timeout,
     "from accept to a whole request header, and between requests"},
    {"limits.body_timeout", &Limits::body_timeout, "a whole HTTP body"},
    {"limits.handshake_timeout", &Limits::handshake_timeout, "a TLS handshake"},
    {"limits.ping_interval", &Limits::ping_interval, "between WebSocket pings"},
    {"limits.pong_timeout", &Limits::pong_timeout, "for the answer to a ping"},
    {"limits.position_interval", &Limits::position_interval,
     "a quiet recoverable channel tells its position this long after its last publication"},
    {"limits.wait_max", &Limits::wait_max, "longest wait that an HTTP request may ask for"},
    {"limits.presence_lease", &Limits::presence_lease,
     "how long a gateway that is gone still counts as having its sessions"},
    {"limits.broker_settle", &Limits::broker_settle,
     "how long a broker of several is up, and of one mind with the others, before it serves"},
    {"limits.close_timeout", &Limits::close_timeout,
     "after a Close frame, until the socket is closed"},
};

struct SecondsRow {
  const char* key;
  std::chrono::seconds Limits::*target;
  const char* help;
};

constexpr SecondsRow kSeconds[] = {
    {"limits.source_ttl", &Limits::source_ttl,
     "how long a producer is remembered after its last publication"},
    {"limits.idempotency_ttl", &Limits::idempotency_ttl,
     "how long an Idempotency-Key is remembered"},
    {"limits.position_ttl", &Limits::position_ttl,
     "how long an unused channel's position is remembered after its publications are gone; a day "
     "at most when it never had any"},
};

/// What the code behind a limit can take at most: counters of a session are narrow on purpose.
struct Cap {
  const char* key;
  std::size_t Limits::*target;
  std::size_t most;
  const char* shown;
};

constexpr Cap kCaps[] = {
    {"limits.header_bytes_max", &Limits::header_bytes_max, 32 * 1024, "32 KiB"},
    {"limits.message_bytes_max", &Limits::message_bytes_max, 256 * 1024 * 1024, "256 MiB"},
    {"limits.command_bytes_max", &Limits::command_bytes_max, 256 * 1024 * 1024, "256 MiB"},
    {"limits.commands_pending_max", &Limits::commands_pending_max, 65'535, "65535"},
    {"limits.control_frames_per_second_max", &Limits::control_frames_per_second_max, 65'535,
     "65535"},
    {"limits.queue_bytes_max", &Limits::queue_bytes_max, 1024 * 1024 * 1024, "1 GiB"},
};

}  // namespace

void describe(ConfigSchema& schema, Limits& limits) {
  static_assert(std::size(kRows) + std::size(kDurations) + std::size(kSeconds) == kLimits);
  for (const Row& row : kRows)
    schema.field(row.key, limits.*row.target, row.help);
  for (const DurationRow& row : kDurations)
    schema.field(row.key, limits.*row.target, row.help);
  for (const SecondsRow& row : kSeconds)
    schema.field(row.key, limits.*row.target, row.help);
}

Result<void> validate(const Limits& limits) {
  const auto zero = [](const char* key) {
    return fail(ErrorCode::config_invalid, std::string(key) + " cannot be 0");
  };
  for (const Row& row : kRows) {
    if (!row.zero_allowed && limits.*row.target == 0) return zero(row.key);
  }
  for (const DurationRow& row : kDurations) {
    if ((limits.*row.target).count() == 0) return zero(row.key);
  }
  for (const SecondsRow& row : kSeconds) {
    if ((limits.*row.target).count() == 0) return zero(row.key);
  }
  for (const Cap& cap : kCaps) {
    if (limits.*cap.target > cap.most)
      return fail(ErrorCode::config_invalid,
                  std::string(cap.key) + " cannot be above " + cap.shown);
  }
  return {};
}

}  // namespace peal::runtime
