#pragma once
// A shard's connections as far as bytes, descriptors and deadlines go: accepts them, reads into one
// big buffer, hands the bytes to whoever understands them (ConnectionOwner), flushes outboxes,
// closes. What is read of one connection and turn is bounded, and so are accepts and TLS
// handshakes; a connection with more to do than its share is on the ready list and has its turn
// before the loop sleeps. A connection that goes is marked dead at once, its fd closed, and its
// slot freed at the end of the turn, so references stay valid during a turn. One thread.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "io/listener.hpp"
#include "io/loop.hpp"
#include "io/outbox.hpp"
#include "io/slab.hpp"
#include "io/timer_wheel.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/logger.hpp"
#include "session/client_addresses.hpp"
#include "session/connection.hpp"
#include "session/gateway_probe.hpp"

namespace peal::gateway {

/// What the rest of the shard makes of what happens to connections.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// Takes what it can from the front of `input`. `input_wanted` of the cold part may be set to the
  /// size at which the rest is worth another look.
  virtual void on_input(Connection& connection, std::span<char>& input) = 0;
  /// Whether bytes must not be taken now.
  virtual bool paused(const Connection& connection) const = 0;
  /// A command or request that waited inside may go on.
  virtual void on_resumed(Connection& connection) = 0;
  /// What the kernel did not take at once is sent: more may be queued.
  virtual void on_writable(Connection& connection) = 0;
  virtual void on_timer(Connection& connection) = 0;  ///< not called for handshake and lingering
  /// The peer ended its side while http or open; true: keep the connection, something is still to
  /// be sent.
  virtual bool on_peer_ended(Connection& connection) = 0;
  virtual void on_too_slow(Connection& connection, SlowReason reason) = 0;
  virtual void on_gone(Connection& connection) = 0;  ///< before its slot is freed
};

class Connections final : public OutletOwner {
 public:
  static constexpr std::chrono::milliseconds kTick{32};

  Connections(Loop& loop, ConnectionOwner& owner, const Limits& limits,
              std::shared_ptr<TlsContext> tls, const ProxyTrust* proxies, GatewayProbe& probe,
              runtime::Logger logger, std::chrono::steady_clock::time_point now);
  ~Connections() override;

  Slab<Connection>& table() { return table_; }
  Outlet& outlet() { return outlet_; }
  ClientAddresses& clients() { return clients_; }
  std::string client(const Connection& connection) const {
    return clients_.text(connection.index, connection.fd);
  }
  std::uint32_t generation(const Connection& connection) const {
    return table_.generation(connection.index);
  }
  /// Null when it is gone.
  Connection* find(std::uint32_t index, std::uint32_t generation);

  /// For connections that come from now on.
  void use_tls(std::shared_ptr<TlsContext> tls) { tls_ = std::move(tls); }

  // The loop's turn.
  void set_now(std::chrono::steady_clock::time_point now);
  void accept_some(int listener);
  /// A connection that was accepted.
  void add(int fd);
  void on_event(const LoopEvent& event);
  void serve_ready();
  void tick();
  void end_turn();
  bool has_ready() const { return !ready_.empty(); }
  bool outlet_dirty() const { return outlet_.dirty(); }
  /// Connections that are not dead.
  std::size_t alive() const { return table_.size() - dead_.size(); }
  /// How long the loop may sleep for the sake of deadlines.
  std::chrono::milliseconds until_next_deadline() const;

  // What owners do with a connection.
  void schedule(Connection& connection, std::chrono::milliseconds after);
  void cancel_timer(Connection& connection) { wheel_.cancel(connection.index); }
  /// Its paused input may go on: it is served this turn.
  void resume(Connection& connection);
  /// Its input goes on with the next turn, after the flush.
  void yield(Connection& connection) { make_ready(connection); }
  /// Whether the turn has gathered so much that it should be sent before more is taken in. About
  /// one full-sized send a connection: more of it at a time gains nothing and costs memory and
  /// latency.
  bool full() const {
    return outlet_.gathered_bytes() >
           std::max(kGatherBytes, outlet_.dirty_count() * kGatherBytesEach);
  }
  /// Nothing more is sent after what is queued; then FIN, and the peer has `close_timeout` to end.
  void finish(Connection& connection);
  void destroy(Connection& connection);
  /// As destroy, at the end of the turn: safe from within a send.
  void end_later(Connection& connection) {
    ending_.emplace_back(connection.index, generation(connection));
  }
  /// How long there have been connections.
  std::chrono::milliseconds life() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(life_ms_));
  }
  std::uint32_t now_s() const { return static_cast<std::uint32_t>(life_ms_ / 1000); }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  static constexpr std::size_t kGatherBytes = 256 * 1024;
  static constexpr std::size_t kGatherBytesEach = 16 * 1024;

  void on_blocked(Endpoint& endpoint) override;
  void on_unblocked(Endpoint& endpoint) override;
  void on_drained(Endpoint& endpoint) override;
  void on_send_failed(Endpoint& endpoint) override;
  void on_overflow(Endpoint& endpoint) override;

  /// What a proxy says before anything else, or the beginning of something else.
  void read_preface(Connection& connection);
  /// TLS or HTTP begins.
  void begin(Connection& connection);
  void shake_hands(Connection& connection);
  void read(Connection& connection);
  void feed(Connection& connection, std::span<char> input);
  bool wants_input(const Connection& connection) const;
  void feed_held(Connection& connection);
  IoResult read_once(Connection& connection, std::size_t& asked);
  void on_ended(Connection& connection);
  void serve(Connection& connection);
  void make_ready(Connection& connection);
  void watch(Connection& connection);
  void expire_queues();
  TimerWheel::Tick tick_at(std::uint64_t life_ms) const {
    return static_cast<TimerWheel::Tick>(life_ms / static_cast<std::uint64_t>(kTick.count()));
  }

  Loop& loop_;
  ConnectionOwner& owner_;
  const Limits& limits_;
  std::shared_ptr<TlsContext> tls_;  ///< null: plain
  GatewayProbe& probe_;
  runtime::Logger logger_;
  ClientAddresses clients_;
  Slab<Connection> table_;
  Outlet outlet_;
  TimerWheel wheel_;
  Fd reserve_;  ///< given up for a moment when descriptors run out
  std::vector<char> buffer_;
  std::vector<std::uint32_t> ready_, serving_;
  std::vector<std::uint32_t> blocked_;  ///< maybe: checked when looked at
  std::vector<std::uint32_t> dead_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ending_;
  Connection* feeding_ = nullptr;
  SlowReason slow_reason_ = SlowReason::bytes;
  std::size_t handshakes_ = 0;  ///< this turn
  std::chrono::steady_clock::time_point start_;
  /// Ticks and seconds come of the whole time: divided, a count that wraps (after 50 days) jumps.
  std::uint64_t life_ms_ = 1;
  std::uint32_t now_ms_ = 1;  ///< its low bits, for differences
  std::uint32_t next_expiry_ms_ = 0;
};

}  // namespace peal::gateway
