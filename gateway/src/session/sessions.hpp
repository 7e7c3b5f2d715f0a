#pragma once
// The sessions of a shard: their frames in, their commands done, their answers out. The order of a
// session's commands on one channel is kept without a queue: publishes are handed to the bus in
// order and answered in order; a command that must wait for earlier ones (a subscribe behind
// unanswered publishes, anything behind a subscribe or a hook of its channel) is set aside, one per
// session, and the session's bytes are left alone until it has been done. The same happens at
// commands_pending_max unanswered. One per shard, its thread only.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/slab.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "session/connections.hpp"
#include "session/encoder.hpp"
#include "session/engine.hpp"
#include "session/gateway_probe.hpp"
#include "session/hooks.hpp"
#include "session/hub.hpp"
#include "session/mailbox.hpp"
#include "session/page_reads.hpp"
#include "session/page_shelf.hpp"
#include "session/presence_rooms.hpp"
#include "session/shard.hpp"
#include "session/stream_order.hpp"

namespace peal::gateway {

/// What the sessions need of the shard around them.
struct SessionHost {
  std::function<void()> pump_bus;  ///< one turn of the port, now
  std::function<void(std::chrono::milliseconds, std::function<void()>)> later;
  std::function<void()> session_ended;
  const PageShelves* shelves = nullptr;  ///< of all shards, this one's in its place
  std::shared_ptr<Mailbox> mailbox;
  std::uint8_t shard = 0;
  std::uint32_t incarnation = 0;  ///< of the gateway; the first part of its sessions' ids
};

class Sessions final : public Engine, public HubOwner, public SessionCloser {
 public:
  Sessions(const ShardConfig& config, Connections& connections, Encoder& encoder,
           GatewayProbe& probe, SessionHost host);
  ~Sessions() override;

  void attach(bus::BusPort& port);
  Hub& hub() { return hub_; }
  const Hub& hub() const { return hub_; }
  PageShelf& shelf() { return shelf_; }
  PresenceRooms& rooms() { return rooms_; }

  // A connection's machine while it is a session.
  void opened(Connection& connection);
  /// Subscribes a session that is a response (SSE) to what was asked for.
  void open_stream(Connection& connection, const StreamOrder& order);
  void on_input(Connection& connection, std::span<char>& input);
  void on_resumed(Connection& connection);
  void on_timer(Connection& connection);
  bool paused(const Connection& connection) const;
  void on_too_slow(Connection& connection, SlowReason reason);
  void on_gone(Connection& connection);
  /// The shard stops: what the bus has not answered is unknown.
  void end();
  /// Closes those that became too slow during the turn.
  void close_doomed();
  /// Says Close and ends the session.
  void close(Connection& connection, CloseCode code, std::string_view reason);

  // The bus.
  void on_published(std::span<const bus::Published> outcomes);
  void on_page(const bus::Page& page);
  /// Before each turn of the bus's port.
  void before_bus() { reads_.handed_over(); }
  /// What it had to send is sent, and it `waits_for_room`.
  void on_room(Connection& connection) { hub_.recoveries().on_room(connection); }
  /// What time does.
  void tick(std::chrono::milliseconds now);
  void on_presence(const bus::PresenceAnswer& answer);
  void on_state(const bus::BusState& state);

  // Engine
  void ask_connect(const std::shared_ptr<const Principal>& principal, std::string_view token,
                   ConnectDone done) override;
  void publish(std::shared_ptr<const Principal> principal, const bus::PublishRequest& request,
               PublishDone done) override;
  void publish_trusted(const bus::PublishRequest& request, PublishDone done) override;
  void read(const std::shared_ptr<const Principal>& principal, const bus::ReadRequest& request,
            PageDone done) override;
  void read_trusted(const bus::ReadRequest& request, PageDone done) override;
  FollowId follow(const std::shared_ptr<const Principal>& principal, std::string_view channel,
                  Follower& follower) override;
  void unfollow(FollowId id) override { hub_.unfollow(id); }
  void presence(const std::shared_ptr<const Principal>& principal,
                const bus::PresenceRequest& request, PresenceDone done) override;
  void presence_trusted(const bus::PresenceRequest& request, PresenceDone done) override;
  const bus::BusState& bus_state() const override { return bus_state_; }

  // HubOwner
  void on_watch_answered(std::uint32_t channel, std::span<const WaitingSubscribe> waiting,
                         const Error* error) override;
  void on_left(const Connection& connection, std::uint32_t channel) override {
    rooms_.remove(connection, channel);
  }
  void on_channel_lost(Connection& connection) override;
  void on_recovered(Connection& connection, const Recovered& result) override;
  void on_recovery_failed(Connection& connection, std::string_view channel,
                          std::optional<std::uint64_t> id, const Error& error) override;
  // SessionCloser
  void close_session(std::uint32_t index, std::uint32_t generation, CloseCode code,
                     std::string_view reason) override;

  std::size_t count() const { return count_; }
  std::string id_of(const Connection& connection) const;
  SessionInfo info_of(Connection& connection);

 private:
  /// A publish to several channels, until all have been answered.
  struct Many {
    std::size_t missing = 0;
    std::vector<bus::Published> outcomes;
  };
  /// Who waits for a publish's outcome: a session's command, or `done`.
  struct Asked {
    std::uint32_t connection = 0;
    std::uint32_t generation = 0;
    std::optional<std::uint64_t> id;
    std::shared_ptr<Many> many;  ///< shared by its requests
    std::size_t place = 0;
    PublishDone done;
  };
  using Answer = std::function<void(Result<std::shared_ptr<const Principal>>)>;

  /// It hears nothing any more and is not counted; what is queued still goes out.
  void ended(Connection& connection);
  void on_frame(Connection& connection, const websocket::Event& event);
  void on_message(Connection& connection, std::string_view text);
  bool flooding(Connection& connection);
  bool must_wait(Connection& connection, const Command& command);
  bool busy(Connection& connection, std::string_view channel);
  void execute(Connection& connection, const Command& command);
  void connect(Connection& connection, const Command& command);
  void welcome(Connection& connection, std::optional<std::uint64_t> id, bool heartbeat);
  void subscribe(Connection& connection, const Command& command);
  void join(Connection& connection, std::string_view channel, std::optional<std::uint64_t> id,
            const Since& since, const std::optional<std::string_view>& presence);
  void subscribed(Connection& connection, std::uint32_t channel, std::optional<std::uint64_t> id,
                  const Since& since);
  void tell_subscribed(Connection& connection, std::uint32_t channel,
                       std::optional<std::uint64_t> id, const SubscribeResult& result,
                       CarriedPage* page = nullptr);
  void history(Connection& connection, const Command& command);
  void unsubscribe(Connection& connection, const Command& command);
  void publish(Connection& connection, const Command& command);
  void publish_many(Connection& connection, const Command& command);
  std::optional<Error> refusal(const Principal& principal,
                               const bus::PublishRequest& request) const;
  void submit(const bus::PublishRequest& request, Asked asked);
  /// Why a subscribe can't have the presence that it asks for.
  std::optional<Error> presence_refusal(const Connection& connection, const Command& command) const;
  void list_presence(Connection& connection, const Command& command);
  void end_presences();
  void settle(Asked& asked, const bus::Published& outcome);
  void answered(Connection& connection);

  void reply(Connection& connection, std::optional<std::uint64_t> id, const ReplyBody& body);
  /// `channel`: of a subscribe, which a stream asks for without an id.
  void fail_command(Connection& connection, std::optional<std::uint64_t> id, const Error& error,
                    std::string_view channel = {});
  void stream_subscribed(Connection& connection, std::uint32_t channel,
                         const SubscribeResult& result);
  /// Before the event that tells of it and of what was missed.
  void stream_reached(Connection& connection, std::uint32_t channel, const SubscribeResult& result);
  void refuse_stream(Connection& connection, std::string_view channel, const Error& error);
  void end_stream(Connection& connection, CloseCode code, std::string_view reason);
  void beat(Connection& connection);
  void control(Connection& connection, websocket::Opcode opcode, std::string_view payload);

  /// Asks a hook; `then` comes once, on this thread, with what it said or hook_failed.
  void ask(const std::function<void(HookCompletion)>& question, Answer then);
  /// Asks on behalf of a session's command on `channel`; `allowed` comes if it still exists.
  void ask_for(Connection& connection, std::optional<std::uint64_t> id, std::string_view channel,
               const std::function<void(HookCompletion)>& question,
               std::function<void(Connection&, std::shared_ptr<const Principal>)> allowed);
  /// The session, if it still is one, whose command on `channel` waited for a hook no longer.
  Connection* hook_answered(std::uint32_t index, std::uint32_t generation,
                            std::string_view channel);
  SessionRef ref(const Connection& connection) const;

  const ShardConfig& config_;
  Connections& connections_;
  Encoder& encoder_;
  GatewayProbe& probe_;
  SessionHost host_;
  PresenceRooms rooms_;
  Hub hub_;
  bus::BusPort* port_ = nullptr;
  bus::BusState bus_state_;
  Slab<Asked> asked_;
  PageReads reads_;
  PageShelf shelf_;
  Slab<PresenceDone> presences_;
  std::unordered_map<std::uint64_t, Answer> hooks_;
  std::uint64_t next_hook_ = 1;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> doomed_;
  Command command_;  ///< used again and again
  std::size_t count_ = 0;
  FrameRef heartbeat_;  ///< of streams: an empty comment
  const websocket::DecoderLimits decoder_limits_;
};

}  // namespace peal::gateway
