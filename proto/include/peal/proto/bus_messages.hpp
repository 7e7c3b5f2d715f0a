#pragma once
// What is said on the bus between whoever watches and publishes (a shard, a monitor, the CLI) and a
// core: the same structs on a port (peal/bus/bus_port.hpp), in the core, and in the wire codec
// (bus_wire.hpp). Views borrow: they are valid during the call or callback that hands them over.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "peal/proto/position.hpp"
#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

/// A channel's number on one port, chosen by its owner: dense `index`, and a `generation` that
/// differs each time an index is used again, so that what was on its way to the old channel is told
/// apart.
struct Alias {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const Alias&, const Alias&) = default;
};

/// Chosen by the caller, unique per port while unanswered; 0 asks for no answer.
using RequestId = std::uint64_t;

/// What a conditional publish asks of the value there is: the last publication kept (with a key:
/// the key's last), when that is no deletion.
enum class ExpectValue : std::uint8_t { any, absent, present };

struct PublishRequest {
  RequestId id = 0;
  std::string_view channel;  ///< a valid channel name
  PublicationView publication;
  std::optional<Position>
      expect;  ///< append only if this is the position (with a key: the key's last)
  ExpectValue expect_value = ExpectValue::any;  ///< append only if there is a value, or none
  std::optional<std::uint64_t>
      expect_end;  ///< append only if this many bytes of payload have been appended in this epoch
  /// Begin a new epoch, with this as its only publication. Expectations are of the old one.
  bool replace = false;
  /// Restoring a log, from trusted sides only: append exactly there. The log must be in that epoch
  /// and below that offset, or have nothing yet. With it, `expect` is of the log even when there is
  /// a key, and `expect_end` is where its payload begins in the log's bytes (none: where they end
  /// now).
  std::optional<Position> place;
  /// With `place`: the log's floor, at least; what is missing above it needs no telling. None: what
  /// is missing raises the floor. At the offset of `place` itself: only the position is restored.
  std::optional<Offset> place_floor;
  std::optional<Sequence>
      previous;  ///< append only if this is the sequence remembered of the source
  std::string_view idempotency_key;
};

struct ReadRequest {
  RequestId id = 0;
  std::string_view channel;
  /// forward: publications above `after`, oldest first. reverse: below it, newest first. state:
  /// above `after`, of each key only the last. bytes: the payloads as one run of bytes, from byte
  /// number `after` on; each publication of the page has the piece of its payload that is asked
  /// for, at most `bytes` together (a piece may begin and end within a payload).
  enum class Mode : std::uint8_t { forward, reverse, state, bytes } mode = Mode::forward;
  std::optional<Epoch> epoch;  ///< when set and not the log's: answered with position_lost
  Offset after;                ///< forward: above; reverse: below (0: from the top)
  std::size_t limit = 100;     ///< publications
  std::size_t bytes = 64 * 1024;
};

/// One publication for one watched channel. Valid during the callback.
struct Delivery {
  Alias alias;
  Epoch epoch;                  ///< counts only when publication.offset is not 0
  PublicationView publication;  ///< offset 0: the channel is ephemeral
};

/// Where a watched channel's log stands: the answer to a watch, or a later change of epoch, or
/// "pull".
struct HeadNotice {
  Alias alias;
  bool answer = false;         ///< the answer to watch, or to the re-watch after a link came back
  std::optional<Head> head;    ///< none: the channel is ephemeral
  std::optional<Error> error;  ///< the watch was refused; the alias is free again
};

/// What became of a publish.
struct Published {
  RequestId id = 0;
  enum class Status : std::uint8_t { ok, refused, unknown } status = Status::ok;
  std::optional<Position>
      position;            ///< ok on a recoverable channel; refused by `expect`: the current one
  bool duplicate = false;  ///< ok, but it had been appended before
  std::optional<Sequence> last;  ///< with duplicate or sequence_gap: the sequence remembered
  std::optional<Error> error;    ///< refused or unknown: why
  /// ok: payload bytes of the log with this one; refused by `expect_end`: without it.
  std::uint64_t end_byte = 0;
};

/// A stretch of a log. Holes inside (after, to] are authoritative: nothing is there any more.
struct Page {
  RequestId id = 0;
  std::optional<Error> error;
  Head head;     ///< as of this page
  Offset after;  ///< the range this page covers: above `after` …
  Offset to;     ///< … up to and including `to`
  std::span<const PublicationView> publications;
  std::uint64_t first_byte = 0;  ///< where the first piece begins (not in reverse)
  std::uint64_t end_byte = 0;    ///< payload bytes appended in this epoch, as of this page
};

}  // namespace peal::bus
