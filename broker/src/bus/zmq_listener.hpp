#pragma once
// The broker's end of the bus: a bound ROUTER socket, its CURVE allow-list, and the waiting for it.
// One thread's, but for wake(). A message from the network is any frames with a routing id in
// front.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bus/peer_link_sender.hpp"
#include "bus/zmq_socket.hpp"
#include "peal/runtime/curve.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

class ZmqListener {
 public:
  ZmqListener(const Limits& limits, runtime::Logger logger, runtime::ProbeRegistry& probes);
  ~ZmqListener();

  /// Refuses an address that others can reach when there are no keys, unless `insecure`.
  Result<void> bind(const std::string& endpoint, runtime::CurveConfig curve, bool insecure);
  std::string endpoint() const;  ///< as bound

  /// Whether a message was there; then `key` and `frames` (without the key) hold it.
  bool receive();
  std::string_view key() const { return frames_.at(0); }
  std::size_t frames() const { return frames_.size() - 1; }
  std::string_view frame(std::size_t i) const { return frames_.at(i + 1); }

  MessageSink::Sent send(std::string_view key, wire::Message& message);
  /// The next handshake that failed.
  std::optional<std::string> next_failure();

  /// Until something comes, here or on one of `others` (descriptors).
  void wait(std::chrono::milliseconds timeout, std::span<const int> others = {});
  void wake() noexcept { wake_.wake(); }  ///< any thread
  /// What was sent last has a moment to leave when the socket closes.
  void linger(std::chrono::milliseconds time);

 private:
  const Limits limits_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry& probes_;
  WakeDescriptor wake_;
  ZmqContext context_;
  std::unique_ptr<runtime::ZapAllowList> allow_list_;
  std::unique_ptr<ZmqSocket> socket_;
  ZmqFrames frames_;
};

}  // namespace peal::bus
