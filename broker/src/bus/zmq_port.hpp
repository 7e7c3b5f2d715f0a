#pragma once
// One shard's port of the bus over ZeroMQ. Used by that shard's thread; it shares with the bus
// thread only mailboxes: what it asks goes to the bus thread's, what comes is in its own `inbox`. A
// message belongs to whoever made it and comes back to be filled again, so a steady load allocates
// nothing; the one who posts into an empty mailbox wakes its reader, so there is at most one wake
// per turn and direction.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bus/mailbox.hpp"
#include "bus/turn_commands.hpp"
#include "bus/turn_results.hpp"
#include "bus/watched_aliases.hpp"
#include "bus/zmq_queries.hpp"
#include "bus/zmq_socket.hpp"
#include "peal/bus/peer_link.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

/// From a port: what was asked in one turn.
struct CommandMessage {
  CommandMessage* next = nullptr;
  std::uint32_t port = 0;
  LinkTime posted{};
  std::size_t bytes = 0;
  TurnCommands commands;
};

/// To a port: a state that came first, then results.
struct ResultMessage {
  ResultMessage* next = nullptr;
  std::uint32_t port = 0;
  std::optional<BusState> state;
  TurnResults results;
  std::size_t bytes = 0;
};

/// From the machine's own source.
std::uint64_t random_number();

/// What the ports of one bus and its thread share.
struct ZmqShared {
  enum class Phase : std::uint8_t { attaching, running, stopped };
  std::atomic<Phase> phase{Phase::attaching};
  std::size_t queue_bytes_max = 0;
  /// Where time and random numbers come from; a simulation has its own.
  std::function<LinkTime()> clock = [] { return std::chrono::steady_clock::now(); };
  std::function<std::uint64_t()> random = random_number;
  WakeDescriptor wake;
  ZmqQueries queries{wake};
  std::atomic<bool> wants_room{false};
  alignas(64) Mailbox<CommandMessage> commands;
  alignas(64) Mailbox<ResultMessage> spent;
  alignas(64) std::atomic<std::size_t> queued_bytes{0};
};

class ZmqPort final : public BusPort, public runtime::Probe {
 public:
  ZmqPort(ZmqShared& shared, std::uint32_t index, BusSink& sink, Waker& waker);

  void watch(Alias alias, std::string_view channel) override;
  void unwatch(Alias alias) override;
  void publish(const PublishRequest& request) override;
  void read(const ReadRequest& request) override;
  void enter(Alias alias, const Member& member) override;
  void leave(Alias alias, std::string_view session) override;
  void presence(const PresenceRequest& request) override;
  bool turn() override;
  void collect(runtime::MetricSink& sink) const override;

  // The bus thread:
  void post(ResultMessage* message) {
    if (inbox_.post(message)) waker_.wake();
  }
  void give_back(CommandMessage* message) { returned_.post(message); }
  void wake() noexcept { waker_.wake(); }

 private:
  TurnCommands& gathering();
  void post_gathered();
  void hand_over();
  void finish();

  ZmqShared& shared_;
  const std::uint32_t index_;
  BusSink& sink_;
  Waker& waker_;
  WatchedAliases watched_;
  CommandMessage* open_ = nullptr;
  std::vector<CommandMessage*> idle_;
  std::vector<std::unique_ptr<CommandMessage>> messages_;
  std::vector<Published> refused_;  ///< before they left
  std::vector<Published> refused_due_;
  runtime::Counter overloaded_;
  bool finished_ = false;

  // Any thread:
  alignas(64) Mailbox<ResultMessage> inbox_;
  alignas(64) Mailbox<CommandMessage> returned_;
};

}  // namespace peal::bus
