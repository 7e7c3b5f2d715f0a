#pragma once
// A client of one socket for tests, blocking with deadlines: raw bytes, HTTP, and WebSocket frames
// (read by our own decoder, which the Beast tests check). Throws when something doesn't come in
// time.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "websocket/codec.hpp"

namespace peal::test {

class SocketClient {
 public:
  struct Options {
    int receive_buffer = 0;  ///< SO_RCVBUF; 0: the kernel's
    bool tls = false;
    std::chrono::milliseconds deadline{60'000};
  };
  explicit SocketClient(std::uint16_t port) : SocketClient(port, Options{}) {}
  SocketClient(std::uint16_t port, Options options);
  ~SocketClient();
  SocketClient(SocketClient&& other) noexcept;
  SocketClient(const SocketClient&) = delete;

  int fd() const { return fd_; }
  void send_bytes(std::string_view bytes);
  void close_writing();
  void close();
  /// Closes with RST.
  void abort();

  /// Sends a request and returns the whole answer, head and body.
  std::string request(std::string_view text);
  /// The bytes up to and including `end`; what is behind stays. Empty when the peer closes before.
  std::string receive_until(std::string_view end);
  /// The answer's bytes until the peer closes.
  std::string read_all();

  /// Opens a WebSocket session on /ws.
  void upgrade(std::string_view path = "/ws");
  void send_text(std::string_view message);
  void send_frame(gateway::websocket::Opcode opcode, std::string_view payload);
  /// The next message; answers pings by itself. Throws when the connection ends.
  std::string receive();
  struct Incoming {
    gateway::websocket::Event::Kind kind;
    std::string payload;
    std::uint16_t code = 0;
  };
  Incoming receive_frame();
  /// Whether a whole frame comes within `time`.
  bool quiet_for(std::chrono::milliseconds time);
  /// Reads until a Close frame and returns its code; 1006 when the connection just ended.
  std::uint16_t receive_close();

  /// Sends a command (an object without id) as `id` and returns its reply; pushes before it are
  /// skipped.
  std::string command(std::string_view action, std::string_view payload);
  std::string subscribe(std::string_view channel);

 private:
  bool fill(std::chrono::milliseconds wait);

  int fd_ = -1;
  void* ssl_ = nullptr;
  void* context_ = nullptr;
  Options options_;
  std::string input_;
  std::size_t parsed_ = 0;
  bool ended_ = false;
  gateway::websocket::Decoder decoder_;
  std::uint64_t next_id_ = 1;
};

}  // namespace peal::test
