#pragma once
// Every limit of a process, by name, with its default. Each is a key of [limits] in the config and
// is named in the error that hitting it gives. Bytes are bytes; durations are std::chrono.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace peal {

struct Limits {
  /// Largest publication: its payload, key, type, tags, source and origin together.
  std::size_t message_bytes_max = 512 * 1024;
  /// Largest client command (a WebSocket message or HTTP body that carries one).
  std::size_t command_bytes_max = 1024 * 1024;
  /// Deepest nesting of arrays and objects in JSON.
  std::size_t json_depth_max = 1024;
  /// Subscriptions of one session.
  std::size_t subscriptions_max = 1000;
  /// Unanswered commands of one session; above, its socket is not read.
  std::size_t commands_pending_max = 16;
  /// Channels of one publish command.
  std::size_t channels_per_publish_max = 100;
  /// Commands a second of one session (0: no limit); a burst of one second is allowed.
  std::size_t commands_per_second_max = 0;
  /// Bytes queued for one session before its slow-consumer policy acts.
  std::size_t queue_bytes_max = 1024 * 1024;
  /// Age of the oldest queued byte of one session before its slow-consumer policy acts.
  std::chrono::milliseconds queue_age_max{10'000};
  /// Sessions of one gateway.
  std::size_t sessions_max = 1'000'000;
  /// HTTP request header.
  std::size_t header_bytes_max = 16 * 1024;
  /// From accept to a whole request header, and between requests.
  std::chrono::milliseconds header_timeout{10'000};
  /// A whole HTTP body.
  std::chrono::milliseconds body_timeout{30'000};
  /// TLS handshake.
  std::chrono::milliseconds handshake_timeout{10'000};
  /// Between WebSocket pings, and for the answer.
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds pong_timeout{8'000};
  /// After a Close frame, until the socket is closed.
  std::chrono::milliseconds close_timeout{5'000};
  /// Frames of one fragmented message.
  std::size_t fragments_max = 1024;
  /// Control frames (pings and pongs) of one session and second.
  std::size_t control_frames_per_second_max = 100;
  /// New connections a turn of a shard; TLS handshakes likewise.
  std::size_t accepts_per_turn_max = 64;
  /// Bytes read of one connection and turn.
  std::size_t read_bytes_per_turn_max = 256 * 1024;
  /// Publications of one batch on the bus, and its bytes.
  std::size_t batch_bytes_max = 32 * 1024;
  /// Bytes on the way on one bus link and class before the sender waits (credit).
  std::size_t link_credit_bytes = 4 * 1024 * 1024;
  /// Publications of one page of history.
  std::size_t page_length_max = 1000;
  /// Bytes of one page of history, unless one publication alone has more.
  std::size_t page_bytes_max = 64 * 1024;
  /// Pages of history that one shard holds, or waits for, for those who catch up.
  std::size_t recovery_pages_max = 128;
  /// A publication of a recoverable channel with a larger payload is told to subscribers without
  /// it: they fetch the value.
  std::size_t notice_bytes = 256 * 1024;
  /// A subscriber of a quiet recoverable channel is told its position this long after the last
  /// publication, and a filtered one at most this often.
  std::chrono::milliseconds position_interval{10'000};
  /// Longest wait that an HTTP request may ask for.
  std::chrono::milliseconds wait_max{60'000};
  /// Channels of one HTTP stream whose events have ids: each id names where all of them stand.
  std::size_t stream_ids_max = 100;
  /// Presence data of one session, and members of one answer.
  std::size_t presence_data_bytes_max = 1024;
  std::size_t presence_page_max = 1000;
  /// Members of all channels of one core.
  std::size_t presence_members_max = 1'000'000;
  /// How long a gateway that is gone still counts as having its sessions.
  std::chrono::milliseconds presence_lease{10'000};
  /// Questions to the whole cluster that one peer may have under way, and bytes of the channels in
  /// one answer.
  std::size_t queries_max = 16;
  std::size_t query_bytes_max = 64 * 1024;
  /// How long a broker of several has been up, and of one mind with the others, before it serves.
  std::chrono::milliseconds broker_settle{3000};
  /// Channels of one core.
  std::size_t channels_max = 1'000'000;
  /// Remembered producers of one channel, and for how long after their last publication.
  std::size_t sources_max = 1000;
  std::chrono::seconds source_ttl{24 * 3600};
  /// Remembered Idempotency-Keys of one channel, and for how long.
  std::size_t idempotency_keys_max = 1000;
  std::chrono::seconds idempotency_ttl{300};
  /// How long an unused channel's position is remembered after its publications are gone.
  std::chrono::seconds position_ttl{30 * 24 * 3600};
  /// Memory of all logs of one core; above, the least recently watched channel's past is given up
  /// (on disk: its index is read again when it is needed).
  std::size_t log_bytes_max = 1024 * 1024 * 1024;
  /// Logs on disk: bytes of publishes that wait for their commit; above, publishes are refused.
  std::size_t commit_queue_bytes_max = 64 * 1024 * 1024;
  /// Logs on disk: space that must be free, or publishes to them are refused.
  std::size_t disk_free_min = 256 * 1024 * 1024;
  /// Logs on disk: memory for blocks that were read.
  std::size_t disk_cache_bytes_max = 64 * 1024 * 1024;
};

}  // namespace peal
