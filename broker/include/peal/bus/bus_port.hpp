#pragma once
// How a shard of a gateway (or a monitor, or the CLI) reaches the cores: one port per shard, used by that
// shard's thread only. Calls only gather: they copy what they are given and return at once. `turn()`,
// called once at the end of each of the shard's turns, hands everything over in batches and is the only
// place from which the sink is called, so no callback ever runs inside another call. Callbacks of one
// channel come in one order, the core's. A callback may call the port; that is gathered for the next turn.
//
// The Head that answers `watch` promises: everything above `top` comes on this port after it (on an
// ephemeral channel: everything published from then on). Nothing of a channel comes before that answer, nor
// after `unwatch` returned. A port counts nothing: whoever watches keeps one alias per channel.
// Push is a hint, the log is the truth: after on_state(linked) every alias still watched gets a new
// on_heads answer by itself; the owner compares it with its Feed and reads only what moved.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "peal/proto/position.hpp"
#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

/// A channel's number on one port, chosen by its owner: dense `index`, and a `generation` that differs
/// each time an index is used again, so that what was on its way to the old channel is told apart.
struct Alias {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const Alias&, const Alias&) = default;
};

/// Chosen by the caller, unique per port while unanswered; 0 asks for no answer.
using RequestId = std::uint64_t;

struct PublishRequest {
  RequestId id = 0;
  std::string_view channel;  ///< a valid channel name
  PublicationView publication;
  std::optional<Position> expect;    ///< append only if this is the position (with a key: the key's last)
  std::optional<Sequence> previous;  ///< append only if this is the sequence remembered of the source
  std::string_view idempotency_key;
};

struct ReadRequest {
  RequestId id = 0;
  std::string_view channel;
  enum class Mode : std::uint8_t { forward, reverse, state } mode = Mode::forward;
  std::optional<Epoch> epoch;  ///< when set and not the log's: answered with position_lost
  Offset after;                ///< forward: above; reverse: below (0: from the top)
  std::size_t limit = 100;     ///< publications
  std::size_t bytes = 64 * 1024;
};

/// One publication for one watched channel. Valid during the callback.
struct Delivery {
  Alias alias;
  Epoch epoch;                   ///< counts only when publication.offset is not 0
  PublicationView publication;   ///< offset 0: the channel is ephemeral
};

/// Where a watched channel's log stands: the answer to a watch, or a later change of epoch, or "pull".
struct HeadNotice {
  Alias alias;
  bool answer = false;        ///< the answer to watch, or to the re-watch after a link came back
  std::optional<Head> head;   ///< none: the channel is ephemeral
  std::optional<Error> error; ///< the watch was refused; the alias is free again
};

/// What became of a publish.
struct Published {
  RequestId id = 0;
  enum class Status : std::uint8_t { ok, refused, unknown } status = Status::ok;
  std::optional<Position> position;  ///< ok on a recoverable channel; refused by `expect`: the current one
  bool duplicate = false;            ///< ok, but it had been appended before
  std::optional<Sequence> last;      ///< with duplicate or sequence_gap: the sequence remembered
  std::optional<Error> error;        ///< refused or unknown: why
};

/// A stretch of a log. Holes inside (after, to] are authoritative: nothing is there any more.
struct Page {
  RequestId id = 0;
  std::optional<Error> error;
  Head head;       ///< as of this page
  Offset after;    ///< the range this page covers: above `after` …
  Offset to;       ///< … up to and including `to`
  std::span<const PublicationView> publications;
};

struct BusState {
  bool linked = false;     ///< publishes can be taken
  bool shared = false;     ///< other gateways hear what is published here
  std::string detail;      ///< for a person: why not, or with whom
};

/// Implemented by the port's owner. Spans and views are valid during the call.
class BusSink {
 public:
  virtual ~BusSink() = default;
  virtual void on_batch(std::span<const Delivery> deliveries) = 0;
  virtual void on_heads(std::span<const HeadNotice> heads) = 0;
  virtual void on_published(std::span<const Published> outcomes) = 0;
  virtual void on_page(const Page& page) = 0;
  virtual void on_state(const BusState& state) = 0;
};

/// Wakes a port's owner so that it calls `turn()` soon. Any thread; cheap when already awake.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() noexcept = 0;
};

class BusPort {
 public:
  virtual ~BusPort() = default;
  virtual void watch(Alias alias, std::string_view channel) = 0;
  virtual void unwatch(Alias alias) = 0;
  virtual void publish(const PublishRequest& request) = 0;
  virtual void read(const ReadRequest& request) = 0;
  /// Hands over what was gathered, then calls the sink with what is due. True: call again soon, there is
  /// more (the owner must not sleep).
  virtual bool turn() = 0;
};

/// The driver. `attach` each shard once before `start`; ports live as long as the bus.
class Bus {
 public:
  virtual ~Bus() = default;
  virtual BusPort& attach(BusSink& sink, Waker& waker) = 0;
  virtual Result<void> start() = 0;
  /// Any thread; after it no sink is called. Unanswered publishes are reported `unknown` by the last turn.
  virtual void stop() = 0;
  virtual BusState state() const = 0;  ///< any thread
};

}  // namespace peal::bus
