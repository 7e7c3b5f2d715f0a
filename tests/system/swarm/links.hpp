#pragma once
// The connections of clients that follow logs, over whatever transport: WebSocket, server-sent
// events, long-poll, or server-sent events resumed by Last-Event-ID. Client i has at most one at a
// time. What comes is told in one shape, the pushes of the protocol; the answer to a subscribe is
// told as the push "subscribed" of the streams. What a client wants is asked of it each time
// something is sent for it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_loop.hpp"
#include "http_clients.hpp"
#include "json_text.hpp"

namespace peal::swarm {

enum class Transport : std::uint8_t { websocket, sse, poll, eventsource };
inline constexpr const char* kTransports[] = {"websocket", "sse", "poll", "eventsource"};

struct Wish {
  std::string channel;
  std::string epoch;  ///< empty: from now on
  std::uint64_t offset = 0;
};

class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual std::vector<Wish> wishes(std::size_t client) = 0;
  virtual void on_event(std::size_t client, const cli::JsonObject& event) = 0;
  /// A subscribe, or all, was refused; the connection may live.
  virtual void on_refused(std::size_t client, const cli::JsonObject& error) = 0;
  /// The connection ended without `go`.
  virtual void on_cut(std::size_t client) = 0;
};

class Links final : private bench::ClientEvents, private HttpEvents {
 public:
  Links(LinkEvents& events, std::vector<bench::Target> targets,
        std::vector<std::string> authorities, std::size_t clients);

  /// Why not, or empty.
  std::string come(std::size_t client, Transport transport, std::size_t gateway);
  void go(std::size_t client);  ///< cuts it, without a word
  void turn();
  std::uint64_t polls() const { return polls_; }

 private:
  struct Link {
    Transport transport = Transport::websocket;
    bool here = false;
    std::uint32_t connection = 0;
    std::size_t gateway = 0;
    std::string in;  ///< of a stream or a poll
    int status = 0;  ///< of its answer
    std::string event_id;
    std::map<std::uint64_t, std::string> asked;  ///< command id -> channel
    std::uint64_t next_id = 1;
  };

  std::string request(std::size_t client);
  std::string request_text(Link& link, std::size_t client);
  bool at(std::size_t client, RequestId id) const {
    return links_[client].here && links_[client].connection == id;
  }
  void ended(std::size_t client);
  void take_block(std::size_t client, std::string_view block);

  void on_open(bench::ClientId id) override;
  void on_text(bench::ClientId id, std::string_view text) override;
  void on_closed(bench::ClientId id, int code, std::string_view why) override;
  void on_status(RequestId id, int status) override;
  void on_body(RequestId id, std::string_view bytes) override;
  void on_end(RequestId id, bool whole) override;

  LinkEvents& events_;
  std::vector<bench::Target> targets_;
  std::vector<std::string> authorities_;
  bench::ClientLoop sockets_;
  HttpClients requests_;
  std::vector<Link> links_;
  std::vector<std::size_t> socket_owners_, request_owners_;
  std::uint64_t polls_ = 0;
};

}  // namespace peal::swarm
