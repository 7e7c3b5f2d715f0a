#pragma once
// ZeroMQ's sockets as the bus uses them: owned, one thread's, with every limit of libzmq set
// explicitly. Both sides of the bus include this; nothing else of the broker's room sees <zmq.h>.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* handle() const { return context_; }

 private:
  void* context_;
};

/// A received message; its frames live until the next receive into it.
class ZmqFrames {
 public:
  static constexpr std::size_t kMax = 3;
  ZmqFrames();
  ~ZmqFrames();
  ZmqFrames(const ZmqFrames&) = delete;
  ZmqFrames& operator=(const ZmqFrames&) = delete;
  /// How many frames came; above kMax the rest was dropped.
  std::size_t size() const { return size_; }
  std::string_view at(std::size_t i) const;

 private:
  friend class ZmqSocket;
  struct Storage;
  std::unique_ptr<Storage> storage_;
  std::size_t size_ = 0;
};

enum class SocketKind : std::uint8_t { router, dealer };

/// What a socket monitor saw.
struct SocketEvent {
  enum class What : std::uint8_t {
    connected,  ///< the ZMTP handshake has succeeded
    disconnected,
    refused,  ///< the other side's allow-list (ZAP) said no
    broken,   ///< the handshake failed: another key, another protocol, a time-out
    retried,
  } what;
  std::string address;
  std::int32_t value = 0;
};

class ZmqSocket {
 public:
  ZmqSocket(ZmqContext& context, SocketKind kind, const Limits& limits);
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  void* handle() const { return socket_; }
  Result<void> bind(const std::string& endpoint);
  Result<void> connect(const std::string& endpoint);
  std::string last_endpoint() const;

  /// What happened to its connections since; every socket is monitored.
  std::optional<SocketEvent> next_event();

  enum class Sent : std::uint8_t { ok, full, gone };
  /// Takes both strings unless `full`; `id` only for a router.
  Sent send(std::string_view id, std::string& header, std::string& body);
  bool receive(ZmqFrames& frames);

  /// Descriptors to poll for reading. Edge-triggered: look at `pending` after every use of the
  /// socket.
  int descriptor() const { return descriptor_; }
  int monitor_descriptor() const { return monitor_descriptor_; }
  bool pending() const;

 private:
  bool send_part(std::string& part, int flags);
  void* socket_ = nullptr;
  void* monitor_ = nullptr;
  int descriptor_ = -1;
  int monitor_descriptor_ = -1;
};

/// An eventfd: any thread wakes the one that polls.
class WakeDescriptor {
 public:
  WakeDescriptor();
  ~WakeDescriptor();
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;
  void wake() noexcept;
  void clear() noexcept;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace peal::bus
