#pragma once
// Peal in an application of one's own: a Gateway accepts WebSocket and HTTP clients on its own
// threads, and the application publishes to them, and may judge what they publish, from any thread.
//
//   peal::gateway::GatewayConfig config;
//   config.channels = {{.pattern = "chat:*", .subscribe = "anyone", .publish = "anyone"}};
//   auto gateway = peal::gateway::Gateway::make(std::move(config)).value();
//   gateway->start().value();
//   gateway->publish("chat:1", R"({"hello":"all"})");
//
// Several gateways in one process are independent; with the embedded bus they don't hear each
// other.
//   made -> start() -> drain() -> stop(); the destructor stops.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/broker/disk_storage.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "peal/gateway/hooks.hpp"
#include "peal/gateway/rules.hpp"
#include "peal/gateway/sessions.hpp"
#include "peal/proto/bus_messages.hpp"
#include "peal/proto/cluster_query.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::gateway {

struct GatewayConfig {
  std::string name = "gateway";
  /// "host:port", "[::1]:port"; port 0: any free one.
  std::string listen = "127.0.0.1:8420";
  /// Threads; 0: one per core.
  std::size_t shards = 1;
  /// First match wins; without one nobody may do anything.
  std::vector<ChannelRule> channels;
  /// Name -> secret, for "key:NAME" in rules.
  std::map<std::string, std::string> keys;
  /// Exact; besides these, only pages of the gateway's own Host are taken.
  std::vector<std::string> allowed_origins;
  /// Exact; empty: loopback names and the listener's own address.
  std::vector<std::string> allowed_hosts;
  /// Networks of proxies that are believed about whose connection it is: "10.0.0.0/8", "::1".
  std::vector<std::string> trusted_proxies;
  /// The one thing that they are believed by: x-forwarded-for, forwarded or proxy-protocol.
  std::string proxy_header = "x-forwarded-for";
  /// A folder whose files are served at `/`; empty: none.
  std::string web_root;
  /// Percent of its sessions that are closed a second at most when it drains or sheds; 0: as the
  /// drain's time asks, and a tenth when it sheds.
  std::size_t drain_share_max = 0;
  /// PEM files; both or none.
  std::string tls_certificate;
  std::string tls_key;
  /// Publications wait this long for company before they are sent; 0: until the end of the loop's
  /// turn.
  std::chrono::microseconds flush_delay{0};
  Limits limits;
  Hooks hooks;
  /// How to reach brokers; none: the core runs inside this gateway and other gateways don't hear
  /// it.
  std::optional<bus::ZmqBusConfig> zmq;
  /// Where the embedded core keeps its logs; with `zmq` they are the brokers'.
  broker::StoreConfig store;
  /// The core runs inside this gateway and meets those of others in this Redis; instead of `zmq`
  /// and `store`.
  std::optional<broker::RedisStoreConfig> redis;
};

/// A publication with all that may be asked of it.
struct PublishOrder {
  std::string channel;
  Publication publication{};
  std::optional<Position> expect{};    ///< append only if this is the position
  std::optional<Sequence> previous{};  ///< append only if this is the source's last sequence
  std::string idempotency_key{};
  // As in bus::PublishRequest:
  bus::ExpectValue expect_value = bus::ExpectValue::any;
  std::optional<std::uint64_t> expect_end{};
  bool replace = false;
  std::optional<Position> place{};
  std::optional<Offset> place_floor{};
};

class Gateway {
 public:
  /// Called once, on one of the gateway's threads (or at once when refused): return soon.
  using PublishDone = std::function<void(const bus::Published&)>;

  /// Checks the config and reads its files; errors name the field. `probes` outlives the gateway;
  /// null: it keeps its own.
  static Result<std::unique_ptr<Gateway>> make(GatewayConfig config, runtime::Logger logger = {},
                                               runtime::ProbeRegistry* probes = nullptr);
  ~Gateway();

  /// Binds and accepts. The error names the address and the cause.
  Result<void> start();
  std::string address() const;  ///< as bound, "127.0.0.1:8420"

  /// Any thread. Limits apply, channel rules and hooks don't: the application is trusted.
  void publish(std::string channel, std::string json, PublishDone then = {});
  void publish(PublishOrder order, PublishDone then = {});

  /// Any thread; `then` is called once, on one of the gateway's threads (or at once when refused);
  /// the page is valid during the call. `request` is copied.
  void read(const bus::ReadRequest& request, std::function<void(const bus::Page&)> then);

  /// Any thread; `then` is called on one of the gateway's threads.
  void sessions(std::string after, std::size_t limit, std::function<void(SessionPage)> then);
  void disconnect(std::string session_id, CloseCode code, std::string reason,
                  std::function<void(bool found)> then = {});

  /// Asks every gateway of the cluster, this one too: to close sessions, or to count. Any thread;
  /// `then` is called once, soon after `query.within` at the latest (with the embedded bus: when
  /// the shards have answered). `ask_here`: this gateway alone.
  void ask(const bus::ClusterQuery& query, bus::ClusterDone then);
  void ask_here(bus::ClusterQuery query, bus::ClusterDone then);

  /// Channels that sessions here are subscribed to, whose name begins with `prefix`, above `after`.
  void channels(std::string after, std::string prefix, std::size_t limit,
                std::function<void(ChannelPage)> then);

  /// Who is in a channel's presence, at all gateways: at most `limit` members above the session
  /// `after` (0: only the numbers). The answer is valid during the call.
  void presence(std::string channel, std::string after, std::size_t limit,
                std::function<void(const bus::PresenceAnswer&)> then);

  const Limits& limits() const;
  /// Empty, or why publishes to channels with a log are refused: the disk, most likely.
  std::string store_trouble() const;
  bus::BusState bus_state() const;  ///< any thread
  bool healthy() const;             ///< any thread: has every shard ticked within 2 s?
  std::string metrics() const;      ///< any thread: Prometheus text

  /// Stops accepting and closes all sessions, spread over `time`; `then` once none is left. Once.
  void drain(std::chrono::milliseconds time, std::function<void()> then);
  /// Closes so many sessions (1012), paced; the clients come back, here or elsewhere. Any thread.
  void shed(std::size_t sessions);
  /// Puts the rules, keys and certificate of `fresh` in force, all or (with an error) none of them;
  /// nothing else of it counts. No session is closed: rules are asked with the next command, a
  /// channel's log keeps what it began with. Any thread but the gateway's own.
  Result<void> reload(const GatewayConfig& fresh);
  /// Ends now.
  void stop();

 private:
  struct Impl;
  explicit Gateway(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::gateway
