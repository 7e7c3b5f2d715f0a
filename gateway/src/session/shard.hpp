#pragma once
// A shard: one thread, one loop, one listener, and the connections that it accepted, for their
// whole life. ShardSet is a gateway's shards together: it binds the address for all of them, starts
// and stops them, and is what control, the App and the library API call, from any thread. Answers
// (`then`) come on a shard's thread unless said otherwise, and must return soon.
//   made -> start(): bound, accepting -> drain(): not accepting, sessions closed with 1012, spread
//   over the time -> stop(): threads joined, every table empty.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/gateway/hooks.hpp"
#include "peal/gateway/rules.hpp"
#include "peal/gateway/sessions.hpp"
#include "peal/proto/close_code.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"
#include "session/engine.hpp"
#include "session/http_service.hpp"

namespace peal::gateway {

class TlsContext;
struct ProxyTrust;

struct ShardConfig {
  std::string listen = "127.0.0.1:8420";  ///< "host:port", "[::1]:port", port 0: any free one
  std::size_t shards = 1;
  std::size_t drain_share_max = 0;  ///< percent of the sessions a second; 0: as drain's time asks
  std::string gateway_name = "gateway";
  Limits limits;
  std::chrono::microseconds flush_delay{
      0};                          ///< wait this long for more before sending; 0: end of turn
  std::string limits_json = "{}";  ///< told in the connect result
  std::shared_ptr<const ChannelRules> rules;  ///< never null
  std::shared_ptr<TlsContext> tls;            ///< null: plain
  std::shared_ptr<const ProxyTrust> proxies;  ///< null: nobody is believed about clients' addresses
  /// Where its time comes from; a simulation has its own.
  std::function<std::chrono::steady_clock::time_point()> clock = [] {
    return std::chrono::steady_clock::now();
  };
  Hooks hooks;
  /// What a connect token makes of a session; empty: any token is token_invalid. Any shard, at
  /// once.
  std::function<Result<std::shared_ptr<const Principal>>(const Principal& now,
                                                         std::string_view token)>
      authenticate;
  /// Called once per shard, on its thread, before it accepts.
  std::function<std::unique_ptr<HttpService>(Shard& shard)> make_http;
};

class Shard {
 public:
  virtual ~Shard() = default;
  virtual std::size_t index() const = 0;
  /// Runs `task` on the shard's thread soon; false when the shard has stopped. Any thread.
  virtual bool post(std::function<void()> task) = 0;
  virtual Engine& engine() = 0;  ///< owning thread only
  virtual const ShardConfig& config() const = 0;
  virtual const runtime::Logger& logger() const = 0;

 private:
  friend class Exchange;
  virtual void respond(std::uint32_t index, std::uint32_t generation, http::Response response) = 0;
  virtual void respond(std::uint32_t index, std::uint32_t generation, http::Response response,
                       std::unique_ptr<BodySource> body) = 0;
  virtual void wait(std::uint32_t index, std::uint32_t generation, std::shared_ptr<Waiter> waiter,
                    std::chrono::milliseconds at_most) = 0;
  virtual void upgrade(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
                       std::shared_ptr<const Principal> principal, HttpHeaders headers) = 0;
  virtual void stream(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
                      std::shared_ptr<const Principal> principal, const HttpHeaders& headers,
                      const StreamOrder& order) = 0;
  virtual bool alive(std::uint32_t index, std::uint32_t generation) const = 0;
  virtual std::string peer(std::uint32_t index, std::uint32_t generation) const = 0;
};

class ShardSet {
 public:
  virtual ~ShardSet() = default;
  /// Binds (an error names address and cause), then starts the threads. `bus` isn't started yet:
  /// each shard attaches to it here; start the bus afterwards.
  virtual Result<void> start(bus::Bus& bus) = 0;
  virtual std::string address() const = 0;  ///< as bound, "127.0.0.1:8420"
  virtual std::size_t size() const = 0;
  virtual Shard& shard(std::size_t index) = 0;
  /// Whether every shard has ticked within `age`.
  virtual bool healthy(std::chrono::milliseconds age) const = 0;

  /// Sessions in a stable order above `after`; at most `limit`.
  virtual void sessions(std::string after, std::size_t limit,
                        std::function<void(SessionPage)> then) = 0;
  /// Channels with subscribers here, in name order, whose name begins with `prefix`, above `after`.
  virtual void channels(std::string after, std::string prefix, std::size_t limit,
                        std::function<void(ChannelPage)> then) = 0;
  /// `then` hears whether there was such a session.
  virtual void disconnect(std::string session_id, CloseCode code, std::string reason,
                          std::function<void(bool)> then) = 0;
  /// This gateway's answer to what the cluster is asked.
  virtual void answer(bus::ClusterQuery query, bus::ClusterDone then) = 0;
  /// Stops accepting and closes all sessions, spread over `time`; `then` once none is left.
  virtual void drain(std::chrono::milliseconds time, std::function<void()> then) = 0;
  /// Closes so many sessions (1012), at most drain_share_max a second.
  virtual void shed(std::size_t count) = 0;
  /// For connections that come from now on.
  virtual void use_tls(std::shared_ptr<TlsContext> tls) = 0;
  /// From the application, control or ingest. Any thread; goes to a shard chosen by the channel.
  virtual void publish(std::string channel, Publication publication, PublishDone then) = 0;
  /// Who is in a channel, for the same. Any thread; `then` on that shard's.
  virtual void presence(std::string channel, std::string after, std::size_t limit,
                        PresenceDone then) = 0;
  /// Ends now: joins the threads.
  virtual void stop() = 0;
};

std::unique_ptr<ShardSet> make_shard_set(ShardConfig config, runtime::Logger logger,
                                         runtime::ProbeRegistry& probes);

}  // namespace peal::gateway
