#pragma once
// Between the links and the core: takes messages of link sessions apart into commands of peers, and
// gathers what the core says into one batch per link and turn. Pure: time comes in with each call,
// messages leave through Transport. Peer 0 is this process itself (control and ingest). One
// thread's. What comes from links is not believed: names, sizes and JSON are checked here, nonsense
// ends its link.

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "peal/broker/core.hpp"
#include "peal/proto/bus_refusals.hpp"
#include "peal/proto/bus_wire.hpp"
#include "peal/proto/json.hpp"
#include "peal/runtime/logger.hpp"
#include "server/broker_link.hpp"
#include "server/cluster_queries.hpp"
#include "server/membership.hpp"
#include "server/other_brokers.hpp"
#include "server/router_probe.hpp"

namespace peal::broker {

inline constexpr PeerId kLocalPeer = 0;

struct RouterConfig {
  wire::Hello hello;
  bus::LinkOptions link;
  Limits limits;
  /// Off only for tests whose payloads are no JSON.
  bool check_json = true;
  /// Where the core's logs are.
  StoreChoice store{};
  /// The cluster's brokers; `others` is there when there are some.
  Membership::Config members{};
  OtherBrokers* others = nullptr;
};

/// A page that this process read.
using LocalPage = std::function<void(const bus::Page&)>;
using LocalPresence = std::function<void(const bus::PresenceAnswer&)>;

class Router final : private CoreOut, private QueriesOut, private wire::OperationSink {
 public:
  Router(RouterConfig config, OptionsOf options_of, Transport& out, EpochSource epochs,
         RouterProbe& probe, runtime::Logger logger);
  ~Router() override;

  /// Before the messages of a turn: links that are silent end, and all of them when we stood still.
  void begin_turn(bus::LinkTime now);
  /// One message as it came from the connection.
  void on_message(std::string_view key, std::string_view header, std::string_view body);
  void on_garbage(std::string_view key);
  /// After them: everything gathered leaves.
  void end_turn();

  /// A publish of this process itself; `done` (may be empty) hears of it once.
  void publish(bus::PublishRequest request, LocalOutcome done);
  /// A read of this process itself; the page is valid during the call.
  void read(bus::ReadRequest request, LocalPage done);
  /// Who is in a channel, for this process itself; the answer is valid during the call.
  void look(bus::PresenceRequest request, LocalPresence done);
  /// A question of this process itself to the cluster.
  void ask(const bus::ClusterQuery& query, bus::ClusterDone done);
  /// Tells every link that this broker goes away.
  void close(const Error& why);

  const Core& core() const { return core_; }
  Core& core() { return core_; }
  std::size_t linked() const { return linked_; }
  bool busy() const { return busy_; }  ///< the next turn should come soon
  const Membership& members() const { return members_; }
  const wire::Hello& hello() const { return config_.hello; }
  /// Why this broker has no link with that one; empty when it has.
  std::string trouble_with(std::size_t member) const {
    return config_.others == nullptr ? std::string() : config_.others->trouble_with(member);
  }
  struct LinkInfo {
    const wire::Hello& peer;
    std::uint32_t version;
    std::uint64_t live_bytes;    ///< on the way
    std::uint64_t credit_bytes;  ///< that may be, of each class
    std::uint64_t dropped;
  };
  void each_link(const std::function<void(const LinkInfo&)>& each) const;

 private:
  /// Of a page, whatever was asked for.
  static constexpr std::size_t kPageBytesMax = 64 * 1024;
  using Links = std::unordered_map<LinkKey, std::unique_ptr<BrokerLink>>;

  void carry_out(BrokerLink& link);
  void carry_out_waiting(BrokerLink& link);
  void welcome(BrokerLink& link);
  void end_links();
  void publish_occupancy();
  void look_at_members();
  void on_changes(const Membership::Changes& changes);
  void hear_stood_in(std::size_t member, const Epoch& mark);
  void publish_elsewhere(const bus::PublishRequest& request, Error why);
  void note(std::string_view channel);
  static std::string occupancy_of(std::string json, std::string_view broker);
  bus::Standing standing(std::optional<std::size_t> member) const;
  std::optional<Error> impostor(const wire::Hello& hello) const;
  std::optional<Error> why_not(std::string_view channel) const {
    return members_.alone() ? std::nullopt : members_.why_not(channel);
  }
  void refuse(std::string_view key, const Error& why);
  BrokerLink* at(PeerId peer) { return peer < peers_.size() ? peers_[peer] : nullptr; }
  PeerId new_peer();
  bool worth_telling(const Error& why);
  std::optional<Error> check(const bus::PublishRequest& request);

  // CoreOut
  void deliver(std::span<const Target> targets, const Epoch& epoch,
               const PublicationView& publication) override;
  void head(PeerId peer, const bus::HeadNotice& notice) override;
  void published(PeerId peer, const bus::Published& outcome) override;
  void page(PeerId peer, const bus::Page& page) override;
  void presence(PeerId peer, const bus::PresenceAnswer& answer) override;
  void presence_event(PeerId peer, const bus::PresenceEvent& event) override;
  void occupancy(Occupancy what, std::string_view channel) override;

  // OperationSink: the operations of the link being carried out.
  void on_watch(bus::Alias alias, std::string_view channel,
                const std::optional<Epoch>& seen) override;
  void on_unwatch(bus::Alias alias) override;
  void on_publish(const bus::PublishRequest& request) override;
  void on_read(const bus::ReadRequest& request) override;
  void on_enter(bus::Alias alias, const bus::Member& member) override;
  void on_leave(bus::Alias alias, std::string_view session) override;
  void on_presence(const bus::PresenceRequest& request) override;
  void on_cluster_query(bus::RequestId id, const bus::ClusterQuery& query) override;
  void on_cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer) override;

  // QueriesOut
  void ask(PeerId gateway, bus::RequestId id, const bus::ClusterQuery& query) override;
  void answered(PeerId asker, bus::RequestId id, const bus::ClusterAnswer& answer) override;

  const RouterConfig config_;
  Transport& out_;
  RouterProbe& probe_;
  const runtime::Logger logger_;
  wire::Reader reader_{wire::Direction::to_broker};
  JsonReader json_;
  EpochSource epochs_;
  Core core_;
  ClusterQueries queries_;
  Membership members_;
  std::uint32_t view_ = 0;
  std::vector<std::optional<Epoch>> heard_stood_in_;  ///< by member

  Links links_;
  std::vector<BrokerLink*> peers_;  ///< by PeerId; null: free, local or being dropped
  std::vector<PeerId> free_peers_;
  std::vector<PeerId> dropping_;        ///< whose interest is being taken out of the core
  std::vector<std::string> occupancy_;  ///< to be published at the end of the turn
  BrokerLink* current_ = nullptr;
  bool begun_ = false;
  bool busy_ = false;
  std::size_t linked_ = 0;
  std::uint64_t fan_out_ = 0;
  bus::LinkTime now_{};
  bus::LinkTime next_tick_{};
  std::unordered_map<std::string, bus::LinkTime> complaints_;  ///< when each was told last
  std::uint64_t next_local_ = 1;
  std::unordered_map<std::uint64_t, LocalOutcome> local_;
  std::unordered_map<std::uint64_t, LocalPage> local_reads_;
  std::unordered_map<std::uint64_t, LocalPresence> local_presence_;
  std::unordered_map<std::uint64_t, bus::ClusterDone> local_queries_;
};

}  // namespace peal::broker
