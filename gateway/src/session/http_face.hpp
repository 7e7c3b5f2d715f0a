#pragma once
// A connection while it speaks HTTP: requests are parsed one at a time and handed to the
// HttpService with an Exchange; nothing behind a request is parsed before its answer. Deadlines: a
// whole header within header_timeout (also between requests), a whole body within body_timeout,
// none while an answer is due; who waits with its answer is told when its time is over, and that
// the client has gone as soon as it ends its side. An upgrade makes the connection a session and
// leaves the bytes behind the request to it. A body that comes in pieces is pulled as the client
// takes it (BodySource). One thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "session/connections.hpp"
#include "session/encoder.hpp"
#include "session/http_service.hpp"

namespace peal::gateway {

class HttpFace {
 public:
  /// `admit` says why no session may be opened now; `opened` is told of each new one.
  struct Gate {
    std::function<std::optional<Error>()> admit;
    std::function<void(Connection&)> opened;
  };
  HttpFace(Shard& shard, Connections& connections, Encoder& encoder, const Limits& limits,
           GatewayProbe& probe, Gate gate)
      : shard_(shard),
        connections_(connections),
        encoder_(encoder),
        limits_(limits),
        probe_(probe),
        gate_(std::move(gate)) {}
  void set_service(std::unique_ptr<HttpService> service) { service_ = std::move(service); }
  /// From now on every answer closes its connection, and no session is opened.
  void set_draining() { draining_ = true; }

  void on_input(Connection& connection, std::span<char>& input);
  void on_timer(Connection& connection);
  bool on_peer_ended(Connection& connection);
  void respond(Connection& connection, http::Response response);
  void respond(Connection& connection, http::Response response, std::unique_ptr<BodySource> body);
  void on_writable(Connection& connection);
  void wait(Connection& connection, std::shared_ptr<Waiter> waiter,
            std::chrono::milliseconds at_most);
  /// Who waits with its answer should answer now.
  static void hurry(Connection& connection);
  static void on_gone(Connection& connection);
  void upgrade(Connection& connection, Protocol& protocol,
               std::shared_ptr<const Principal> principal, const HttpHeaders& headers);
  /// As upgrade, to a session that is an endless response of server-sent events; whether it is one.
  bool stream(Connection& connection, Protocol& protocol,
              std::shared_ptr<const Principal> principal, const HttpHeaders& headers,
              const StreamOrder& order);

 private:
  /// Why no session may be opened now, which is then the answer; else its variant is set.
  bool admit_session(Connection& connection, Protocol& protocol, Framing framing);
  void become_session(Connection& connection, std::shared_ptr<const Principal> principal);
  void send(Connection& connection, std::string_view bytes);
  /// The answer's head, and its body if that is in it.
  void begin_answer(Connection& connection, http::Response& response);
  void end_answer(Connection& connection);
  void pull(Connection& connection);
  /// Whether the next piece is wanted now.
  bool take(Connection& connection, BodySource::Piece piece);

  Shard& shard_;
  Connections& connections_;
  Encoder& encoder_;
  const Limits& limits_;
  GatewayProbe& probe_;
  Gate gate_;
  std::unique_ptr<HttpService> service_;
  /// Of the connection that was upgraded last: its request may still be looked at by who upgraded
  /// it.
  std::unique_ptr<Connection::Http> outgoing_;
  std::string scratch_;
  bool draining_ = false;
};

}  // namespace peal::gateway
