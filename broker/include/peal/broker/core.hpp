#pragma once
// One partition of the broker: the channels whose home it is, who is interested in them, and their
// logs. A pure state machine: commands of peers in, calls of CoreOut out, in order; time comes with
// each call. It runs on the shard's thread (embedded) or on the broker's thread; a peer is a shard
// or a bus link. Ephemeral channels (the default) only fan out; recoverable ones go through Log and
// LogStore first. A PeerId names one life of a peer: after drop_peer it is not used again. Names of
// channels are checked here, once, when a channel is first seen. CoreOut must not call back into
// the core.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "peal/broker/channel_options.hpp"
#include "peal/broker/log_store.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::broker {

/// Whom a publication goes to: one watch of one peer.
struct Target {
  PeerId peer;
  bus::Alias alias;
};

/// What a core asks of the rest of the process. All views are valid during the call.
class CoreOut {
 public:
  virtual ~CoreOut() = default;
  /// One publication to all who watch its channel, the publisher's own peer included. `targets` is
  /// never empty. Of an ephemeral channel (offset 0) the bytes are those given to Core::publish.
  virtual void deliver(std::span<const Target> targets, const Epoch& epoch,
                       const PublicationView& publication) = 0;
  virtual void head(PeerId peer, const bus::HeadNotice& notice) = 0;
  virtual void published(PeerId peer, const bus::Published& outcome) = 0;
  virtual void page(PeerId peer, const bus::Page& page) = 0;
  virtual void presence(PeerId peer, const bus::PresenceAnswer& answer) = 0;
  virtual void presence_event(PeerId peer, const bus::PresenceEvent& event) = 0;
  /// To be published to kOccupancyChannel, which may be another core's.
  virtual void occupancy(Occupancy what, std::string_view channel) = 0;
};

class Core {
 public:
  Core(CoreOut& out, OptionsOf options_of, const Limits& limits, EpochSource epochs,
       StoreChoice store = {});
  ~Core();

  /// `seen`: the epoch of the channel that whoever watches has heard of, here or elsewhere.
  void watch(PeerId peer, bus::Alias alias, std::string_view channel, TimePoint now,
             const std::optional<Epoch>& seen = {});
  void unwatch(PeerId peer, bus::Alias alias, TimePoint now);
  void publish(PeerId peer, const bus::PublishRequest& request, TimePoint now);
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now);
  /// The peer is a link of this process (its incarnation): said first. What its sessions are in
  /// outlives the link by limits.presence_lease. A peer for which it isn't said never comes back.
  void adopt_peer(PeerId peer, std::uint64_t incarnation, TimePoint now);
  /// A session enters the presence of a channel that the peer watches; again: with other data, or
  /// after the peer's link came back (within a lease), which all of its members do then.
  void enter(PeerId peer, bus::Alias alias, const bus::Member& member);
  void leave(PeerId peer, bus::Alias alias, std::string_view session);
  void presence(PeerId peer, const bus::PresenceRequest& request);
  /// The core of a broker begins: others may have told clients who is there, and come back to it.
  /// For one lease nothing is told of presence and occupancy; then only what has changed. (Where
  /// the store knows who is there it isn't the core that begins.)
  void start_quiet(TimePoint now);
  /// Ends leases that are over, at a bounded cost per call (true: call again); every turn.
  bool expire(TimePoint now);

  /// Ends the epochs of these channels: whoever watches them is told the next.
  void end_epochs(const LogStore::WhichChannels& which, TimePoint now);

  /// A peer is gone: its interest with it, at a bounded cost per call (true: call again).
  bool drop_peer(PeerId peer);
  /// At the end of each turn: what the store has done meanwhile is told, what was asked in this
  /// turn is done together.
  void turn(TimePoint now);
  /// The end: what was asked and not answered is, as far as its outcome is unknown.
  void stop();
  /// Age-based retention and the like; call about once a second. Bounded work.
  void tick(TimePoint now);

  struct ChannelInfo {
    std::string_view name;
    std::size_t peers;         ///< watches of it; 0: only its log is here
    std::optional<Head> head;  ///< of a recoverable channel
  };
  /// Channels watched or with a log, in name order above `after`, at most `limit`: for `peal
  /// channels`.
  void channels(std::string_view after, std::size_t limit,
                const std::function<void(const ChannelInfo&)>& each) const;
  const runtime::Probe& probe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::broker
