#pragma once
// The seam between a shard and the HTTP faces: the shard's connections parse requests and write
// answers; what a request means is the HttpService's. One service per shard, made by
// ShardConfig::make_http on the shard's thread, so it may own Protocols and other things that
// belong to one thread. An Exchange is the right to answer one request, once, now or later, on the
// shard's thread only (any other thread posts: Shard::post). Answers go out in request order
// because the next request isn't parsed before. Dropped unanswered, it says 500 internal_error.
// When the client has gone, answering is harmless.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/http_machine.hpp"
#include "peal/gateway/rules.hpp"
#include "session/body_source.hpp"
#include "session/protocol.hpp"
#include "session/stream_order.hpp"

namespace peal::gateway {

class Engine;
class Shard;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Who answers a request only when something has happened. Told on the shard's thread.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// The time is over, or the gateway stops: answer as soon as possible.
  virtual void on_due() = 0;
  /// The client has gone: there is nobody to answer.
  virtual void on_gone() = 0;
};

class Exchange {
 public:
  Exchange(Shard& shard, std::uint32_t index, std::uint32_t generation)
      : shard_(&shard), index_(index), generation_(generation) {}
  Exchange(Exchange&& other) noexcept
      : shard_(std::exchange(other.shard_, nullptr)),
        index_(other.index_),
        generation_(other.generation_) {}
  Exchange& operator=(Exchange&& other) noexcept;
  ~Exchange();

  /// The answer may take this long: `waiter` is told when it is due, and is released by the answer.
  /// Of the request nothing is kept.
  void wait(std::shared_ptr<Waiter> waiter, std::chrono::milliseconds at_most);
  /// An answer; HEAD, keep-alive and Connection are taken care of.
  void respond(http::Response response);
  /// An answer whose body follows in pieces; its length is response.body_bytes, or none. To HEAD
  /// the body is not asked for.
  void respond(http::Response response, std::unique_ptr<BodySource> body);
  /// 101 with Upgrade, Connection and `headers` (Sec-WebSocket-Accept among them); from then on the
  /// connection is a session that speaks `protocol`, which must live as long as the service.
  void upgrade(Protocol& protocol, std::shared_ptr<const Principal> principal, HttpHeaders headers);

  /// 200 with an endless body of server-sent events (and `headers`); from then on the connection is
  /// a session that hears the channels of `order`. `protocol` must live as long as the service.
  void stream(Protocol& protocol, std::shared_ptr<const Principal> principal, HttpHeaders headers,
              StreamOrder order);

  /// Whether the client is still there.
  bool alive() const;
  /// "address:port" of the client.
  std::string peer() const;
  bool secure() const;  ///< over TLS
  Engine& engine() const;
  Shard& shard() const { return *shard_; }

 private:
  Shard* shard_;
  std::uint32_t index_;
  std::uint32_t generation_;
};

class HttpService {
 public:
  virtual ~HttpService() = default;
  /// `request` is valid during the call; what is needed later is copied.
  virtual void handle(const http::Request& request, Exchange exchange) = 0;
};

}  // namespace peal::gateway
