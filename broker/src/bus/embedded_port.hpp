#pragma once
// One shard's port of the embedded bus, and the core partition that lives there. Used by that
// shard's thread; other shards reach it only through its two mailboxes: `inbox` (their messages)
// and `spent` (its own messages, read and given back). A message belongs to its sender for ever and
// to its receiver between the two, so a steady load allocates nothing. Back-pressure: bytes posted
// and not yet given back are bounded per pair of shards. Above that bound an ephemeral publication
// is dropped and counted, a recoverable one becomes its channel's latest Head once there is room
// again, and a publish for a channel at home there is refused: overloaded.

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bus/mailbox.hpp"
#include "bus/pending_ids.hpp"
#include "bus/turn_commands.hpp"
#include "bus/turn_results.hpp"
#include "bus/watched_aliases.hpp"
#include "peal/broker/core.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

class EmbeddedPort;

/// What the ports of one bus share. `ports` is complete and immutable once `running`.
struct EmbeddedShared {
  enum class Phase : std::uint8_t { attaching, running, stopped };
  std::vector<std::unique_ptr<EmbeddedPort>> ports;
  std::atomic<Phase> phase{Phase::attaching};
  std::size_t shards = 1;
  Limits limits;
  broker::MakeLogStore make_store;
  std::string met_at;  ///< where other processes hear it; empty: nowhere

  BusState linked_state() const {
    if (met_at.empty()) return {true, false, "embedded: no other gateway hears"};
    return {true, true, "embedded, over " + met_at};
  }
};

class EmbeddedProbe final : public runtime::Probe {
 public:
  void dropped() { dropped_.add(); }
  void replaced_by_head() { replaced_.add(); }
  void refused() { refused_.add(); }
  void messages_posted(std::size_t n) { messages_.add(n); }
  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter dropped_, replaced_, refused_, messages_;
};

class EmbeddedPort final : public BusPort, private broker::CoreOut {
 public:
  EmbeddedPort(EmbeddedShared& shared, std::uint32_t index, BusSink& sink, Waker& waker,
               broker::OptionsOf options_of);
  ~EmbeddedPort() override;

  void watch(Alias alias, std::string_view channel) override;
  void unwatch(Alias alias) override;
  void publish(const PublishRequest& request) override;
  void read(const ReadRequest& request) override;
  void enter(Alias alias, const Member& member) override;
  void leave(Alias alias, std::string_view session) override;
  void presence(const PresenceRequest& request) override;
  bool turn() override;

  void wake() noexcept { waker_.wake(); }  ///< any thread
  const runtime::Probe& probe() const { return probe_; }
  const runtime::Probe& core_probe() const { return core_.probe(); }

 private:
  struct Message {
    Message* next = nullptr;
    std::uint32_t from = 0;
    std::size_t bytes = 0;
    TurnCommands commands;
    TurnResults results;
  };
  /// What this shard keeps about another one.
  struct Link {
    Message* open = nullptr;  ///< being filled
    std::vector<Message*> idle;
    std::size_t outstanding = 0;  ///< bytes posted and not given back
    PendingIds pending;
    std::unordered_map<std::uint32_t, HeadNotice> lagging;  ///< by alias index
  };

  broker::StoreChoice store_choice();
  std::uint32_t home_of(std::string_view channel) const;
  TurnCommands& commands_for(std::uint32_t home);
  Message& open(std::uint32_t shard);
  bool has_room(std::uint32_t shard);

  void reclaim();
  void announce_lagging();
  void post_open();
  void hand_over(Message* arrived);
  void give_back(Message* arrived);
  void finish();

  void deliver(std::span<const broker::Target> targets, const Epoch& epoch,
               const PublicationView& publication) override;
  void deliver_to(std::uint32_t shard, Alias alias, const Epoch& epoch,
                  const PublicationView& publication);
  void head(broker::PeerId peer, const HeadNotice& notice) override;
  void published(broker::PeerId peer, const Published& outcome) override;
  void page(broker::PeerId peer, const Page& page) override;
  void presence(broker::PeerId peer, const PresenceAnswer& answer) override;
  void presence_event(broker::PeerId peer, const PresenceEvent& event) override;
  void occupancy(broker::Occupancy what, std::string_view channel) override;

  EmbeddedShared& shared_;
  const std::uint32_t index_;
  BusSink& sink_;
  Waker& waker_;
  broker::Core core_;
  EmbeddedProbe probe_;

  WatchedAliases watched_;
  TurnCommands gathering_;  ///< for the channels at home here: the calls since the last turn …
  TurnCommands replaying_;  ///< … and those that this turn works on
  TurnResults due_;
  std::vector<RequestId> overloaded_;  ///< publishes refused before they left
  std::vector<Link> links_;
  std::vector<std::unique_ptr<Message>> messages_;
  broker::TimePoint next_tick_{};
  bool announced_ = false;
  bool finished_ = false;

  // Any thread:
  alignas(64) Mailbox<Message> inbox_;
  alignas(64) Mailbox<Message> spent_;
  std::atomic<bool> wants_room_{false};
};

}  // namespace peal::bus
