#pragma once
// The bus thread of a process: it owns the ZeroMQ sockets, a link with each broker, and what all
// ports watch. A turn: what the sockets say, what the ports ask, what they have done with, flush,
// post.
//   Of several brokers the first in a channel's rank that serves is asked for it (of brokers with
// logs on disk, the first in rank alone); when that changes, what is watched moves. A broker that
// thinks otherwise answers not_owner or not_ready: then the watch is tried again a little later,
// and a publish is refused.

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "bus/ranks.hpp"
#include "bus/zmq_deliveries.hpp"
#include "bus/zmq_dial.hpp"
#include "bus/zmq_port.hpp"
#include "bus/zmq_probe.hpp"
#include "bus/zmq_watches.hpp"
#include "peal/bus/zmq_bus.hpp"

namespace peal::bus {

class ZmqThread final : private DialOwner {
 public:
  /// `config.connect` is one that read_brokers takes.
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
  // DialOwner
  wire::Hello hello(const ZmqDial& dial) override;
  void on_linked(ZmqDial& dial) override;
  void on_lost(ZmqDial& dial, const Error& why) override;
  void on_missed(ZmqDial& dial, std::uint64_t operations) override;
  TurnResults& results(std::uint32_t port) override { return deliveries_.results(port); }
  void deliver(ZmqDial& dial, std::uint32_t port, Alias alias, const Epoch& epoch,
               const PublicationView& publication) override {
    if (!alone_ && !is_from(dial, port, alias)) [[unlikely]]
      return;
    deliveries_.deliver(port, alias, epoch, publication);
  }
  bool on_head(ZmqDial& dial, std::uint32_t port, const HeadNotice& notice) override;
  bool on_presence_event(ZmqDial& dial, std::uint32_t port, Alias alias) override {
    return alone_ || is_from(dial, port, alias);
  }
  ZmqQueries* queries() override { return &shared_.queries; }
  void make_room() override { take_spent(); }

  /// The broker to ask for a channel now; null: none.
  ZmqDial* serving(std::uint64_t channel);
  ZmqDial* serving(std::string_view channel) { return serving(alone_ ? 0 : stable_hash(channel)); }
  /// The broker that has been told of this watch; null: none on a link of now.
  ZmqDial* told_of(const ZmqWatches::Watch& watch);
  bool is_from(const ZmqDial& dial, std::uint32_t port, Alias alias) {
    const ZmqWatches::Watch* const watch = watches_.find(port, alias);
    return watch != nullptr && watch->told_to(dial.index(), dial.serial());
  }
  /// Why no broker can be asked.
  std::string trouble() const;

  bool begins(LinkTime now);
  void look_at_brokers(LinkTime now);
  void say(BusState state);
  void take_commands(LinkTime now);
  bool credit_lacks() const;
  void carry_out(CommandMessage& message, LinkTime now);
  bool place(const ZmqWatches::Step& step);
  void nobody_takes(std::uint32_t port, Alias alias, ZmqWatches::Watch& watch, Error why);
  void walk_watches(LinkTime now);
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
  std::vector<std::unique_ptr<ZmqDial>> dials_;
  std::vector<std::string> members_;  ///< the brokers' names; none: there is one
  Ranks ranks_;
  bool alone_;  ///< one broker, whatever its name
  bool owned_;  ///< the first in rank serves a channel, or nobody
  /// Of all dials, as they were looked at last: their changes, and the links with those that serve.
  std::uint64_t changes_ = 0;
  /// After none has served one begins with those that do when that is so of all, or then.
  std::optional<LinkTime> begins_;
  bool begun_ = false;
  std::vector<std::uint64_t> serve_;
  ZmqWatches watches_;
  /// Watches that nobody took are tried again then, and how long after that.
  std::optional<LinkTime> retry_;
  std::chrono::milliseconds retry_pause_{0};
  bool retry_due_ = false;  ///< there is one that waits for it
  ZmqDeliveries deliveries_;
  std::deque<CommandMessage*> backlog_;
  bool more_ = false;  ///< do not sleep

  // Any thread:
  std::atomic<bool> stopping_{false};
  mutable std::mutex state_mutex_;
  BusState state_;
};

}  // namespace peal::bus
