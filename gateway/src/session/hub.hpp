#pragma once
// Who listens to what on one shard, and the fan-out. Per channel a contiguous array of 8-byte
// members; a leaver is only marked, so that anything may leave during a fan-out, and is erased at
// the end of the turn by `compact`, which also unwatches channels that nobody listens to. A batch's
// publications of one channel are encoded together into one frame per variant (of about 16 KB at
// most) and that frame is appended to all members: appending is never split over turns. Recoverable
// channels have a Feed: what arrives twice is dropped, a hole is read from the log before anything
// above it goes out, a lost past is told by a reset. One per shard, its thread only.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/outbox.hpp"
#include "io/slab.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/bus/feed.hpp"
#include "session/connection.hpp"
#include "session/encoder.hpp"
#include "session/follower.hpp"
#include "session/gateway_probe.hpp"
#include "session/rules.hpp"

namespace peal::gateway {

/// A subscribe command that waits for the bus's answer.
struct WaitingSubscribe {
  std::uint32_t connection;
  std::uint32_t generation;
  std::optional<std::uint64_t> id;
  bool wants_recovery;  ///< it had `since`
  std::optional<Position> since;
};

/// Told when a channel's first watch is answered.
class HubOwner {
 public:
  virtual ~HubOwner() = default;
  /// `error` null: they are subscribed, and nothing of the channel has gone out to them yet.
  virtual void on_watch_answered(std::uint32_t channel, std::span<const WaitingSubscribe> waiting,
                                 const Error* error) = 0;
  /// A session that can't ask again by itself (a stream) lost a channel for now.
  virtual void on_channel_lost(Connection& connection) = 0;
};

class Hub {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::size_t kFrameBytes = 16 * 1024;

  Hub(Slab<Connection>& connections, Outlet& outlet, Encoder& encoder, GatewayProbe& probe,
      const ChannelRules& rules, HubOwner& owner);
  ~Hub();
  void attach(bus::BusPort& port) { port_ = &port; }

  /// The channel's number, or kNone when nobody listens to it here.
  std::uint32_t find(std::string_view name) const;
  /// Makes the session a member, and watches the channel when it is the first.
  std::uint32_t join(Connection& connection, std::string_view name);
  /// The slot of that channel in the session's list, or kNone.
  static std::uint32_t slot_of(Connection& connection, std::uint32_t channel);
  void leave(Connection& connection, std::uint32_t slot);
  void leave_all(Connection& connection);

  /// Whether the watch of the channel has been answered, so that subscribing needs no waiting.
  bool live(std::uint32_t channel) const { return channels_[channel]->live; }
  /// Where the log of a live recoverable channel stands here.
  std::optional<Position> position(std::uint32_t channel) const;
  void wait(std::uint32_t channel, WaitingSubscribe waiting);

  /// A follower that follows nothing yet.
  FollowId add_follower(Follower& follower);
  /// Its channel; nothing happens when it has left meanwhile.
  void follow(FollowId id, std::string_view name);
  void unfollow(FollowId id);
  /// Of one that follows nothing yet.
  void refuse_follower(FollowId id, const Error& error);

  /// One push to one session of that channel. Whatever brings a session forward goes through here
  /// or through `fan_out`: a stream's id line goes before it.
  void push(Connection& connection, std::uint32_t channel, const Push& push);
  /// Queues the id line that has to go before an event which brings the session there, if its
  /// framing has such lines.
  void append_id(Connection& connection, std::uint32_t channel, const Position& position);
  std::string_view name(std::uint32_t channel) const { return channels_[channel]->name; }

  void on_batch(std::span<const bus::Delivery> deliveries);
  void on_heads(std::span<const bus::HeadNotice> heads);
  void on_page(const bus::Page& page);
  /// Gives up what still waits for the bus's answer: who asked is told, and may ask again.
  void refuse_waiting(const Error& error);
  /// Erases leavers and unwatches channels without members: once, at the end of a turn.
  void compact();

  /// Adds the channels above `after` that begin with `prefix`, the first `limit` of them by name.
  void list(std::string_view after, std::string_view prefix, std::size_t limit,
            std::map<std::string, std::size_t>& subscribers) const;
  std::size_t channels() const { return numbers_.size(); }
  std::size_t subscriptions() const { return subscriptions_; }
  /// Request ids of the Hub's own reads have this bit.
  static constexpr bus::RequestId kReadBit = bus::RequestId{1} << 63;

 private:
  struct Member {
    std::uint32_t connection;  ///< kNone: has left
    std::uint32_t slot;        ///< in the session's subscriptions
  };
  struct Channel {
    std::string name;
    std::vector<Member> members;
    std::vector<WaitingSubscribe> waiting;
    std::vector<FollowId> followers;
    std::optional<bus::Feed> feed;
    std::array<std::uint32_t, Encoder::kVariantsMax> variant_members{};
    std::uint32_t number = 0;
    std::uint32_t left = 0;
    std::uint32_t first_due = kNone;  ///< of the batch at hand
    std::uint32_t last_due = kNone;
    bool live = false;
    bool droppable = false;
    bool reading = false;
    bool unwatched = false;  ///< the bus refused or forgot the watch: nothing to unwatch
    bool to_compact = false;
    std::size_t present() const { return members.size() - left; }
  };

  struct Following {
    Follower* follower;
    std::uint32_t channel = kNone;
    std::uint32_t place = 0;  ///< among its channel's followers
  };

  Channel* find(bus::Alias alias);
  /// The channel, watched.
  Channel& open(std::string_view name);
  void compact_later(Channel& channel);
  Following* following(FollowId id);
  template <class Tell>
  void tell_followers(const Channel& channel, Tell&& tell);
  void tell_position(const Channel& channel);
  void tell_due(const Channel& channel, std::uint32_t first,
                std::span<const bus::Delivery> deliveries);
  void refuse_followers(Channel& channel, const Error& error);
  Channel& make(std::string_view name);
  void erase(Channel& channel);
  void gather(Channel& channel, std::uint32_t delivery);
  void send_due(Channel& channel, std::span<const bus::Delivery> deliveries);
  void push_all(Channel& channel, const Push& push);
  void send_frame(Channel& channel, std::uint8_t variant, const FrameRef& frame,
                  const std::optional<Position>& reached);
  void fan_out(Channel& channel, std::uint8_t variant, const FrameRef& frame);
  void fan_out_with_ids(Channel& channel, std::uint8_t variant, const FrameRef& frame,
                        const std::optional<Position>& reached);
  bool only_variant(const Channel& channel, std::uint8_t variant) const {
    return channel.variant_members[variant] == channel.present();
  }
  void reset(Channel& channel, const Head& head);
  void read_hole(Channel& channel);
  void on_answer(Channel& channel, const bus::HeadNotice& notice);
  void refuse(Channel& channel, const Error& error);
  void deliver_page(Channel& channel, const bus::Page& page);
  bus::Alias alias_of(const Channel& channel) const {
    return {channel.number, generations_[channel.number]};
  }

  Slab<Connection>& connections_;
  Outlet& outlet_;
  Encoder& encoder_;
  GatewayProbe& probe_;
  const ChannelRules& rules_;
  HubOwner& owner_;
  bus::BusPort* port_ = nullptr;

  std::vector<std::unique_ptr<Channel>> channels_;  ///< by number; null: free
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::string_view, std::uint32_t>
      numbers_;  ///< keys are the channels' own names
  std::vector<std::uint32_t> to_compact_;
  std::vector<std::uint32_t> touched_;   ///< channels of the batch at hand
  std::vector<std::uint32_t> next_due_;  ///< per delivery of the batch: the channel's next one
  Slab<Following> followings_;
  std::string scratch_;
  std::size_t subscriptions_ = 0;
};

}  // namespace peal::gateway
