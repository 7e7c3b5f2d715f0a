#pragma once
// The command line's one door to ZeroMQ: the client of a process's control socket (DEALER to
// ROUTER; many commands may be on their way) and of its ingest socket (PUSH to PULL; no answers). A
// lost link is seen through the socket's own monitor, so "nobody is there" is said at once and not
// after a time. One thread; not thread safe.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "outcome.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::cli {

struct ControlReplyText {
  std::uint64_t id = 0;
  std::string result;         ///< raw JSON; empty when refused
  std::string code, message;  ///< of the error
  bool refused() const { return result.empty(); }
};

class ControlClient {
 public:
  ControlClient(std::string endpoint, runtime::CurveConfig curve);
  ~ControlClient();

  /// Waits until the handshake is done; nobody listening is noticed at once.
  Outcome<void> connect(std::chrono::milliseconds timeout);
  /// One command and its answer.
  Outcome<std::string> request(std::string_view action, std::string_view payload,
                               std::chrono::milliseconds timeout);

  /// Many at once: send, then `wait` for answers (to `on_reply`), for `fd` to be readable (-1:
  /// none), for a signal, or for the time to pass. Fails as unreachable when the link is lost;
  /// `connect` makes a new one.
  Outcome<void> send(std::uint64_t id, std::string_view action, std::string_view payload);
  using OnReply = std::function<void(const ControlReplyText&)>;
  Outcome<void> wait(int fd, std::chrono::milliseconds timeout, const OnReply& on_reply);

  const std::string& endpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class IngestClient {
 public:
  IngestClient(std::string endpoint, runtime::CurveConfig curve);
  ~IngestClient();
  Outcome<void> connect(std::chrono::milliseconds timeout);
  /// Taken by the socket; waits while its queue is full.
  Outcome<void> send(std::string_view channel, std::string_view payload,
                     std::chrono::milliseconds timeout);
  /// Until `fd` is readable (-1: none), a signal, a lost link, or the time has passed.
  Outcome<void> wait(int fd, std::chrono::milliseconds timeout);
  /// Waits until all is handed to the other side's kernel.
  void finish(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::cli
