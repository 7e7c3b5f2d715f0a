#pragma once
// Who listens to what on one shard, and the fan-out. Per channel a contiguous array of 8-byte
// members; a leaver is only marked, so that anything may leave during a fan-out, and is erased at
// the end of the turn by `compact`, which also unwatches channels that nobody listens to. A batch's
// publications of one channel are encoded together into one frame per variant (of about 16 KB at
// most) and that frame is appended to all members: appending is never split over turns. Recoverable
// channels have a Feed: what arrives twice is dropped, a hole is read from the log before anything
// above it goes out, a lost past is told by a reset. Sessions that catch up are aside (Recoveries)
// until they have had what members have. Of a quiet channel the members are told the position once.
// One per shard, its thread only.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
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
#include "io/timer_wheel.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/bus/feed.hpp"
#include "peal/proto/limits.hpp"
#include "session/connection.hpp"
#include "session/encoder.hpp"
#include "session/follower.hpp"
#include "session/gateway_probe.hpp"
#include "session/recoveries.hpp"
#include "session/rules.hpp"
#include "session/tail.hpp"

namespace peal::gateway {

using NameFilter = std::function<bool(std::string_view)>;

/// A subscribe command that waits for the bus's answer.
struct WaitingSubscribe {
  std::uint32_t connection;
  std::uint32_t generation;
  std::optional<std::uint64_t> id;
  Since since;
};

/// Told what becomes of subscribes that had to wait.
class HubOwner {
 public:
  virtual ~HubOwner() = default;
  /// `error` null: they are subscribed, and nothing of the channel has gone out to them yet.
  virtual void on_watch_answered(std::uint32_t channel, std::span<const WaitingSubscribe> waiting,
                                 const Error* error) = 0;
  /// A session is no member of the channel any more.
  virtual void on_left(const Connection& connection, std::uint32_t channel) = 0;
  /// A session that can't ask again by itself (a stream) lost a channel for now.
  virtual void on_channel_lost(Connection& connection) = 0;
  /// What a subscribe with `since` came to; nothing of the channel has gone out to it before.
  virtual void on_recovered(Connection& connection, const Recovered& result) = 0;
  /// It came to nothing, and the session has left.
  virtual void on_recovery_failed(Connection& connection, std::string_view channel,
                                  std::optional<std::uint64_t> id, const Error& error) = 0;
};

class Hub final : private RecoveryHost {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::size_t kFrameBytes = 16 * 1024;
  static constexpr std::chrono::milliseconds kTick{32};

  Hub(Slab<Connection>& connections, Outlet& outlet, Encoder& encoder, GatewayProbe& probe,
      const ChannelRules& rules, const Limits& limits, HubOwner& owner);
  ~Hub() override;
  void attach(bus::BusPort& port, PageShelf& shelf) {
    port_ = &port;
    recoveries_.attach(shelf);
  }

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
  std::string_view name(std::uint32_t channel) const override { return channels_[channel]->name; }
  bus::Alias alias(std::uint32_t channel) const { return alias_of(*channels_[channel]); }

  /// Sets the session aside until it has caught up; the owner hears of the result. The channel is
  /// live and recoverable. Whoever was recovering in that slot starts anew.
  void recover(Connection& connection, std::uint32_t slot, const Since& since,
               std::optional<std::uint64_t> id);
  /// Where a session that is catching up stands; null when it is a member.
  std::optional<Position> recovering_at(const Subscription& subscription) const;
  /// Whether its subscribe waits for a result.
  bool unanswered(const Subscription& subscription) const {
    return subscription.aside() && !recoveries_.answered(subscription.recovery());
  }
  /// It stops catching up, if it does: from now on it hears what members hear.
  void stop_recovering(Connection& connection, std::uint32_t slot) {
    if (connection.subscriptions[slot].aside()) go_live(connection, slot);
  }
  /// A page's publications as messages, to one session of that channel.
  void send(Connection& connection, std::uint32_t channel, CarriedPage& page) override;
  Recoveries& recoveries() { return recoveries_; }
  const Recoveries& recoveries() const { return recoveries_; }

  void on_batch(std::span<const bus::Delivery> deliveries);
  void on_heads(std::span<const bus::HeadNotice> heads);
  void on_page(const bus::Page& page);
  /// Gives up what still waits for the bus's answer: who asked is told, and may ask again.
  void refuse_waiting(const Error& error);
  /// What time does: quiet channels' positions are told.
  void tick(std::chrono::milliseconds now);
  std::chrono::milliseconds until_next_deadline(std::chrono::milliseconds longest) const;
  /// Erases leavers and unwatches channels without members: once, at the end of a turn.
  void compact();

  /// Adds the channels above `after` that are `wanted`, the first `limit` of them by name.
  void list(std::string_view after, const NameFilter& wanted, std::size_t limit,
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
    std::unique_ptr<Tail> tail;  ///< while somebody recovers
    std::array<std::uint32_t, Encoder::kVariantsMax> variant_members{};
    std::uint32_t number = 0;
    std::uint32_t left = 0;
    std::uint32_t recovering = 0;
    TimerWheel::Tick spoken = 0;      ///< when something went out last
    std::uint32_t first_due = kNone;  ///< of the batch at hand
    std::uint32_t last_due = kNone;
    bool live = false;
    bool droppable = false;
    bool reading = false;
    bool unwatched = false;  ///< the bus refused or forgot the watch: nothing to unwatch
    bool to_compact = false;
    std::size_t present() const { return members.size() - left; }
    std::size_t subscribers() const { return present() + recovering; }
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
  void take_from_members(Channel& channel, std::uint32_t place);
  void take_from_aside(Channel& channel, std::uint32_t recovery);
  void moved(Channel& channel) {
    if (channel.tail) recoveries_.moved(channel.number);
  }
  /// Something went out: the members know where they stand.
  void spoke(Channel& channel) {
    channel.spoken = now_;
    if (!quiet_.scheduled(channel.number)) quiet_.schedule(channel.number, now_ + quiet_after_);
  }

  // RecoveryHost
  Position top(std::uint32_t channel) const override;
  Tail& tail(std::uint32_t channel) override { return *channels_[channel]->tail; }
  void go_live(Connection& connection, std::uint32_t slot) override;
  void repair(std::uint32_t channel) override { read_hole(*channels_[channel]); }
  void learn(std::uint32_t channel, const bus::Page& page) override;
  void tell(Connection& connection, const Recovered& result) override {
    owner_.on_recovered(connection, result);
  }
  void send_reset(Connection& connection, std::uint32_t channel,
                  const Position& position) override {
    push(connection, channel, ResetPush{channels_[channel]->name, position});
  }
  void fail(Connection& connection, std::uint32_t slot, std::optional<std::uint64_t> id,
            const Error& error) override;

  bus::Alias alias_of(const Channel& channel) const {
    return {channel.number, generations_[channel.number]};
  }

  Slab<Connection>& connections_;
  Outlet& outlet_;
  Encoder& encoder_;
  GatewayProbe& probe_;
  const ChannelRules& rules_;
  const Limits& limits_;
  HubOwner& owner_;
  bus::BusPort* port_ = nullptr;
  Recoveries recoveries_;
  TimerWheel quiet_;  ///< by channel: when it is looked at whether it fell silent
  const TimerWheel::Tick quiet_after_;
  TimerWheel::Tick now_ = 0;

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
