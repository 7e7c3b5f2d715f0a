#pragma once
// Thousands of WebSocket clients on one epoll loop and one thread: raw sockets, one shared receive
// buffer, frames written once a turn. What arrives is told to a ClientEvents; it may call the loop
// from there, also to close the very client it is told about. An Id is not used again while its
// loop lives. States: connecting -> (TLS) -> upgrading -> open -> closed.

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "peal/proto/result.hpp"

namespace peal::bench {

using ClientId = std::uint32_t;

class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void on_open(ClientId) {}
  virtual void on_text(ClientId, std::string_view text) = 0;
  /// Also when it never opened. `code` is the Close frame's, 0 when there was none.
  virtual void on_closed(ClientId, int /*code*/, std::string_view /*why*/) {}
};

/// Where to: made once, used for every connection.
struct Target {
  sockaddr_storage address{};
  socklen_t address_size = 0;
  std::string request;  ///< the upgrade request
  bool tls = false;
};
Result<Target> make_target(const std::string& host, const std::string& port,
                           const std::string& authority, const std::string& path, bool tls);

class TlsClient;

class ClientLoop {
 public:
  explicit ClientLoop(ClientEvents& events);
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

  /// Begins a connection. `source` > 0 picks another loopback address to come from: one has 28,000
  /// ports.
  Result<ClientId> connect(const Target& target, unsigned source = 0);
  /// Frames and queues; written at the end of the turn. Nothing when it is not open.
  void send(ClientId id, std::string_view text);
  void close(ClientId id);  ///< with a Close frame; on_closed when the other side has answered
  void drop(ClientId id);   ///< at once and without a word; no on_closed
  bool is_open(ClientId id) const;
  std::size_t queued_bytes(ClientId id) const;

  /// Writes, waits at most so long for something (or for `wake_fd`), reads, tells.
  void turn(std::chrono::nanoseconds wait, int wake_fd = -1);

  std::uint64_t waited_ns() const { return waited_ns_; }  ///< time spent with nothing to do
  std::size_t alive() const { return alive_; }

 private:
  enum class State : std::uint8_t { connecting, handshaking, upgrading, open, closing, closed };
  struct Client {
    int fd = -1;
    State state = State::connecting;
    bool dirty = false;
    bool wants_write = false;
    bool in_message = false;  ///< fragments of a message are in `message`
    std::string in;           ///< the beginning of a frame that isn't all there
    std::string out;
    std::size_t written = 0;
    std::string message;
    std::unique_ptr<TlsClient> tls;
    const Target* target = nullptr;
  };

  Client* find(ClientId id);
  void on_event(ClientId id, std::uint32_t events);
  void on_connected(ClientId id, Client& client);
  void shake_hands(ClientId id, Client& client);
  void start_upgrade(ClientId id, Client& client);
  void receive(ClientId id, Client& client);
  void take(ClientId id, Client& client, std::string_view bytes);
  std::size_t take_upgrade(ClientId id, Client& client, std::string_view bytes);
  std::size_t take_frames(ClientId id, Client& client, std::string_view bytes);
  bool take_control(ClientId id, Client& client, int opcode, std::string_view payload);
  void mark_dirty(ClientId id, Client& client);
  void flush(ClientId id);
  void watch(ClientId id, Client& client, bool write);
  void end(ClientId id, int code, std::string_view why, bool tell);

  ClientEvents& events_;
  int epoll_ = -1;
  std::deque<Client> clients_;  // stable addresses: events may connect more
  std::vector<ClientId> dirty_;
  std::vector<char> buffer_;
  std::uint64_t waited_ns_ = 0;
  std::size_t alive_ = 0;
  int watched_fd_ = -1;
};

}  // namespace peal::bench
