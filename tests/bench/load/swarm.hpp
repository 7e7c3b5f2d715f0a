#pragma once
// Many subscribers in one thread, as cheap as a reader can be: one epoll set, one buffer, bytes
// counted and not looked at (what is delivered has a known size). And publishers, which write
// frames made beforehand.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace peal::bench {

/// A masked text frame, as a client sends it.
std::string client_frame(std::string_view text);

/// One POST of JSON on a connection of its own; the whole answer.
std::string post(std::uint16_t port, const std::string& target, std::string_view body);

class Swarm {
 public:
  explicit Swarm(std::uint16_t port, bool tls = false);
  ~Swarm();
  Swarm(const Swarm&) = delete;

  /// Opens that many sessions; each subscribes to `channel_of(i)` ("" : none).
  void open(std::size_t count, const std::function<std::string(std::size_t)>& channel_of);
  /// Opens that many streams of server-sent events over the query's `channels` channels.
  void open_streams(std::size_t count, std::string_view query, std::size_t channels);
  std::size_t size() const { return fds_.size(); }
  int fd(std::size_t i) const { return fds_[i]; }
  void send(std::size_t i, std::string_view bytes);
  /// That one isn't read any more.
  void stop_reading(std::size_t i);

  /// Reads what is there, waiting at most that long for the first byte. Returns bytes read.
  std::size_t read(std::chrono::milliseconds wait);
  /// Reads until so many bytes have come in all since open; false when nothing comes for 10 s.
  bool read_until(std::uint64_t total);
  std::uint64_t bytes() const { return bytes_; }
  std::size_t ended() const { return ended_; }
  /// Remembers how far each session is; base(i) tells it.
  void mark() { marks_ = bytes_of_; }
  std::uint64_t base(std::size_t i) const { return marks_[i]; }
  /// Called per read with the session's number and its bytes so far.
  std::function<void(std::size_t, std::uint64_t)> on_read;

 private:
  int connect();
  void watch(std::size_t i);

  std::uint16_t port_;
  bool tls_;
  int epoll_;
  std::vector<int> fds_;
  std::vector<void*> tls_sessions_;
  void* tls_context_ = nullptr;
  std::vector<std::uint64_t> bytes_of_, marks_;
  std::uint64_t bytes_ = 0;
  std::size_t ended_ = 0;
  std::vector<char> buffer_;
};

/// One connection that publishes.
class Publisher {
 public:
  explicit Publisher(std::uint16_t port);
  ~Publisher();
  Publisher(Publisher&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  /// Writes all of it; reads (and forgets) what comes back meanwhile.
  void send(std::string_view frames);
  /// Writes what goes without waiting; how much it was.
  std::size_t send_some(std::string_view frames);

 private:
  int fd_;
};

}  // namespace peal::bench
