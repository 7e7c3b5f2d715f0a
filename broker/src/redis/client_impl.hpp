#pragma once
// The client, wired: a topology that is asked for, a Link for each of its masters, lanes that keep
// a Cluster's commands in order, subscriptions that follow the slots. A single server is a topology
// of one that needs no asking, and Sentinel's master one that does.
//   start → discover → adopt: links come and go → connect
//   link down, MOVED, recheck(), or time → (pause) → discover again

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "peal/redis/client.hpp"
#include "redis/client_probe.hpp"
#include "redis/inquiry.hpp"
#include "redis/lanes.hpp"
#include "redis/link.hpp"
#include "redis/sentinel_watch.hpp"
#include "redis/subscriptions.hpp"
#include "redis/topology.hpp"

namespace peal::redis {

struct Client::Impl final : LinkOwner, std::enable_shared_from_this<Client::Impl> {
  using Clock = std::chrono::steady_clock;
  struct Item {
    Command command{};
    Done done{};
    std::size_t bytes = 0;
    std::uint16_t slot = 0;
    Clock::time_point late_at{};
  };

  Impl(boost::asio::io_context& context, Config config, ClientOwner& owner, runtime::Logger logger);

  // Commands: client_commands.cpp.
  void command(Command command, Done done);
  void send_by_lane(Command command, Done done, std::size_t bytes);
  void send_item(Lanes::Id id, std::uint16_t slot, const Route& route);
  void on_answer(Lanes::Id id, Answer answer, Link::Id link);
  /// Whether the answer only sends the item elsewhere.
  bool send_elsewhere(Lanes::Id id, Item& item, const Answer& answer, Link::Id link);
  void pause_lane(std::uint16_t slot);
  void expire_held();
  void end_item(Lanes::Id id, Answer answer);
  void finish(const Done& done, std::size_t bytes, Answer answer);
  void refuse_later(Done done, std::size_t bytes, std::string error);
  Link* home(std::uint16_t slot) const;
  Link* any_up() const;
  Link* link_at(std::string_view endpoint) const;
  std::string why_not(const Link* link) const;

  // Masters: client_topology.cpp.
  void start();
  void stop();
  void discover();
  void discover_later(std::chrono::milliseconds pause);
  void on_switch(const Endpoint& sentinel);
  void ask_who_serves();
  std::string judge(const std::vector<Reply>& replies, const Endpoint& asked);
  void on_discovered(const std::string& error);
  void adopt(Topology topology);
  Link& link_for(const Topology::Master& master, std::vector<Node>& changed);
  void choose_probe(Link& link);
  void refresh_in_time();
  std::string trouble() const;
  void tell(runtime::LogLevel level, std::string_view message, const Link& link,
            std::string_view reason) const;

  std::vector<std::vector<std::string>> setup(const Link& link) override;
  std::string judge_setup(const Link& link, const std::vector<Reply>& replies) override;
  void on_up(Link& link) override;
  void on_down(Link& link, const std::string& reason) override;
  void on_listening(Link& link) override;
  void on_deaf(Link& link, const std::string& reason) override;
  void on_push(Link& link, Reply reply) override;
  void on_turn() override;

  Subscriptions::Actions subscription_actions();
  Lanes::Actions lane_actions();
  /// Runs `call` a while later, unless the client has stopped.
  void later(std::chrono::milliseconds pause, std::function<void()> call);

  boost::asio::io_context& context;
  Config config;
  bool cluster;
  ClientOwner* owner;
  TopicOwner* topic_owner = nullptr;
  runtime::Logger logger;
  std::shared_ptr<TlsContext> tls{};
  ClientProbe probe{};
  bool running = false;

  Topology topology{};
  std::vector<Link*> homes;                              ///< by slot
  std::map<std::string, std::shared_ptr<Link>> links{};  ///< by node id and endpoint
  Link::Id next_link = 1;
  std::shared_ptr<Inquiry> inquiry{};
  std::shared_ptr<SentinelWatch> sentinel_watch{};
  std::vector<Endpoint> ask_only{};  ///< who knows more than the others; once
  Topology found{};                  ///< by the inquiry
  bool discovery_wanted = false, discovery_pausing = false;
  std::size_t discovery_failures = 0;
  std::string discovery_trouble{};
  std::set<std::string> reasons_told{};
  std::string tag{};  ///< in the probes' channels: this client's own
  std::string last_reason = "not connected yet";

  std::unordered_map<Lanes::Id, Item> items{};
  Lanes::Id next_item = 1;
  Lanes lanes;
  Subscriptions subscriptions;
};

}  // namespace peal::redis
