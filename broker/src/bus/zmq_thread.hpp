#pragma once
// The bus thread of a process: it owns the ZeroMQ socket, the link session of the moment, and what
// all ports watch. A turn: what the socket says, what the ports ask, what they have done with,
// flush, post. A session begins when the connection's handshake has succeeded and ends with it,
// with silence, with a refusal or with a stall of this loop; each session has a fresh socket, so
// nothing old can reach it.

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "bus/zmq_deliveries.hpp"
#include "bus/zmq_port.hpp"
#include "bus/zmq_probe.hpp"
#include "bus/zmq_session.hpp"
#include "bus/zmq_socket.hpp"
#include "bus/zmq_watches.hpp"
#include "peal/bus/zmq_bus.hpp"

namespace peal::bus {

class ZmqThread final : private SessionOwner {
 public:
  ZmqThread(const ZmqBusConfig& config, const Limits& limits, runtime::Logger logger,
            ZmqShared& shared, std::vector<ZmqPort*> ports, ZmqBusProbe& probe);

  /// Until `stop` was called: begin, turns with a sleep after each, finish.
  void run();
  void begin();
  void turn(LinkTime now);
  bool more() const { return more_; }  ///< the next turn is due at once
  void finish(LinkTime now);
  void stop() noexcept;    ///< any thread
  BusState state() const;  ///< any thread

 private:
  // SessionOwner
  Sent send(wire::Message& message) override;
  TurnResults& results(std::uint32_t port) override { return deliveries_.results(port); }
  void deliver(std::uint32_t port, Alias alias, const Epoch& epoch,
               const PublicationView& publication) override {
    deliveries_.deliver(port, alias, epoch, publication);
  }
  void on_answer(std::uint32_t port, Alias alias, bool recoverable, bool refused) override;
  ZmqQueries* queries() override { return &shared_.queries; }

  void open_socket(LinkTime now);
  void hear_events(LinkTime now);
  void hear_messages(LinkTime now);
  void end_session(LinkTime now);
  void say(BusState state);

  void take_commands(LinkTime now);
  void carry_out(CommandMessage& message, LinkTime now);
  void walk_watches();
  void ask_cluster(LinkTime now);
  void take_spent();
  void sleep(LinkTime now);

  struct Visitor;

  const ZmqBusConfig config_;
  const Limits limits_;
  const runtime::Logger logger_;
  ZmqShared& shared_;
  std::vector<ZmqPort*> ports_;
  ZmqBusProbe& probe_;
  const std::uint64_t incarnation_;
  std::mt19937_64 random_;

  ZmqContext context_;
  std::unique_ptr<ZmqSocket> socket_;
  std::unique_ptr<ZmqSession> session_;
  ZmqFrames frames_;
  ZmqWatches watches_;
  ZmqDeliveries deliveries_;
  std::deque<CommandMessage*> backlog_;
  LinkTime next_socket_{};
  LinkTime last_complaint_{};
  std::chrono::milliseconds pause_{0};  ///< before the next socket, after a refusal
  std::string trouble_;                 ///< why there is no link
  bool more_ = false;                   ///< do not sleep

  // Any thread:
  std::atomic<bool> stopping_{false};
  mutable std::mutex state_mutex_;
  BusState state_;
};

}  // namespace peal::bus
