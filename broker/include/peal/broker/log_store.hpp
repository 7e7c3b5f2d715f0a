#pragma once
// Where the logs of recoverable channels are. Every call is answered through the sink, within the
// call or later, on the core's thread. What is said about one log comes in one order: a watch's
// answer, what is appended after it by offset, and each append's outcome after what it appended was
// told: commit, then fan out, then acknowledge. A store decides nothing of its own: it follows the
// rules of Log.

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "peal/broker/channel_options.hpp"
#include "peal/broker/epoch_source.hpp"
#include "peal/broker/presence_store.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"

namespace peal::broker {

using TimePoint = std::chrono::steady_clock::time_point;

/// Chosen by the core for a log that it watches; not used again after unwatch.
using LogId = std::uint64_t;

class LogStoreSink {
 public:
  virtual ~LogStoreSink() = default;
  /// Answers every watch: where the log stands, or why it can't be told. The watch is there until
  /// `unwatch`, which may be called from here in the second case.
  virtual void on_head(LogId log, const Result<Head>& head) = 0;
  /// The watched log is not where it was told to be: another epoch begins here, or (after the store
  /// had failed) the log stands here in the same.
  virtual void on_reset(LogId log, const Head& head) = 0;
  /// Appended to a watched log. Views are valid during the call. With offset 0: published on a
  /// watched channel that has none, and the views stay valid until the store's next turn.
  virtual void on_appended(LogId log, const Epoch& epoch, const PublicationView& publication) = 0;
  virtual void on_outcome(PeerId peer, const bus::Published& outcome) = 0;
  virtual void on_page(PeerId peer, const bus::Page& page) = 0;
};

struct LogStoreStats {
  std::size_t logs = 0;
  std::size_t bytes = 0;
  std::size_t epochs_ended = 0;
};

class LogStore {
 public:
  virtual ~LogStore() = default;
  /// May be called again for a log that is watched, with the same id: a fresh answer.
  virtual void watch(LogId log, std::string_view channel, TimePoint now) = 0;
  virtual void unwatch(LogId log, TimePoint now) = 0;
  virtual void append(PeerId peer, const bus::PublishRequest& request, TimePoint now) = 0;
  virtual void read(PeerId peer, const bus::ReadRequest& request, TimePoint now) = 0;
  /// About once a second, bounded work: what is too old goes.
  virtual void tick(TimePoint now) = 0;
  /// Each turn of the core's thread, and soon after StoreSeat::wake: what came meanwhile is told. A
  /// store that answers within each call needs neither this nor the next two.
  virtual void turn(TimePoint /*now*/) {}
  /// Who watches this channel next has seen this epoch of it, at another broker: if that is the
  /// later one, what is here isn't the channel's past, and a new epoch above it begins.
  virtual void outrun(std::string_view /*channel*/, const Epoch& /*seen*/, TimePoint /*now*/) {}
  /// Ends the epochs of the channels of which `which` says so.
  using WhichChannels = std::function<bool(std::string_view channel)>;
  virtual void end_epochs(const WhichChannels& /*which*/, TimePoint /*now*/) {}
  /// Nobody wants to hear what this peer is still owed; its number may mean another one later.
  virtual void drop_peer(PeerId /*peer*/) {}
  /// What is published on channels without a log reaches other processes through the store: they
  /// are watched (the head then says nothing) and appended to like the others.
  virtual bool carries_ephemeral() const { return false; }
  /// Who is there is known of all cores that meet in this store; null: of this core alone.
  virtual PresenceStore* presence() { return nullptr; }
  /// The core stops: what was not answered yet is, with `unknown`. Nothing is asked after it.
  virtual void stop() {}
  /// The logs that are here, in no order.
  virtual void each(const std::function<void(std::string_view, const Head&)>& visit) const = 0;
  virtual LogStoreStats stats() const = 0;
};

/// What a core gives to the store that is made for it.
struct StoreSeat {
  LogStoreSink& sink;
  OptionsOf options_of;
  const Limits& limits;
  EpochSource epochs;
  std::function<void()> wake;                  ///< any thread: turn() is due soon
  std::function<bool(std::string_view)> home;  ///< whether a channel is this core's
  PresenceStoreSink* presence = nullptr;       ///< null: nobody wants to know who is there
};
using MakeLogStore = std::function<std::unique_ptr<LogStore>(StoreSeat seat)>;

/// Where a core keeps its logs. Nothing said: in memory, all channels being its own.
struct StoreChoice {
  MakeLogStore make{};
  std::function<void()> wake{};
  std::function<bool(std::string_view)> home{};
};

std::unique_ptr<LogStore> make_memory_log_store(LogStoreSink& sink, OptionsOf options_of,
                                                const Limits& limits, EpochSource epochs);

}  // namespace peal::broker
