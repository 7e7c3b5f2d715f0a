#pragma once
// A shard's sessions that catch up with a channel: from a position, from the oldest kept, or with
// the state of a keyed channel. Such a session is no member of the channel yet: it is given page
// after page, each when the one before has left its outbox, and becomes a member in the turn in
// which it has all that members have had. A recovery holds no page: it asks the channel's Tail or
// the PageShelf for the next one. A turn gives at most kPagesPerTurn, so that the others' messages
// don't wait.
//   queued -> reading -> queued -> … -> live
//   blocked: its outbox is; starved: the shelf is full; behind: the channel's feed has not come so
//   far yet, or the page could not be read and the feed will be heard of again
// One per shard, its thread only; the Hub's right hand.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "io/slab.hpp"
#include "session/connection.hpp"
#include "session/encoder.hpp"
#include "session/gateway_probe.hpp"
#include "session/page_shelf.hpp"
#include "session/tail.hpp"

namespace peal::gateway {

/// What a subscribe that wanted the past is told.
struct Recovered {
  std::uint32_t channel;
  std::optional<std::uint64_t> id;
  Position position;              ///< where the session stands with this result
  std::optional<bool> recovered;  ///< when it asked from a position
  CarriedPage* page = nullptr;    ///< the first page; null: nothing
};

/// What Recoveries needs of the Hub around them.
class RecoveryHost {
 public:
  virtual ~RecoveryHost() = default;
  virtual std::string_view name(std::uint32_t channel) const = 0;
  /// The last that members of the channel have had.
  virtual Position top(std::uint32_t channel) const = 0;
  virtual Tail& tail(std::uint32_t channel) = 0;
  /// It has all that members have had.
  virtual void go_live(Connection& connection, std::uint32_t slot) = 0;
  /// The feed is behind what a page has shown.
  virtual void repair(std::uint32_t channel) = 0;
  /// A page that may be ahead of the feed.
  virtual void learn(std::uint32_t channel, const bus::Page& page) = 0;
  virtual void tell(Connection& connection, const Recovered& result) = 0;
  virtual void send(Connection& connection, std::uint32_t channel, CarriedPage& page) = 0;
  virtual void send_reset(Connection& connection, std::uint32_t channel,
                          const Position& position) = 0;
  /// The session's subscribe failed: it has left.
  virtual void fail(Connection& connection, std::uint32_t slot, std::optional<std::uint64_t> id,
                    const Error& error) = 0;
};

class Recoveries {
 public:
  static constexpr std::size_t kPagesPerTurn = 64;
  static constexpr std::size_t kBytesPerTurn = 1024 * 1024;

  Recoveries(RecoveryHost& host, Slab<Connection>& connections, GatewayProbe& probe)
      : host_(host), connections_(connections), probe_(probe) {}
  void attach(PageShelf& shelf) { shelf_ = &shelf; }

  struct Start {
    std::uint32_t connection;
    std::uint32_t slot;  ///< in the session's subscriptions
    std::uint32_t channel;
    Since since;
    std::optional<std::uint64_t> id;
  };
  /// Its number.
  std::uint32_t start(const Start& start);
  void forget(std::uint32_t number);
  void move_slot(std::uint32_t number, std::uint32_t slot) { all_.at(number).slot = slot; }

  bool answered(std::uint32_t number) const { return all_.at(number).answered; }
  Offset at(std::uint32_t number) const { return all_.at(number).at; }

  /// The channel's feed moved, or was heard of.
  void moved(std::uint32_t channel);
  /// The channel's past is gone; `top` is where it begins anew. All of them go live, or start anew.
  void reset(std::uint32_t channel, const Position& top);
  /// The channel is no more: each is told so.
  void refuse(std::uint32_t channel, const Error& error);
  /// What waited for the connection's outbox goes on.
  void on_room(Connection& connection);
  void on_page(const SharedPageRef& page, const std::vector<PageShelf::Waiter>& waiting);
  /// Gives what is due, a bounded part of it: once a turn.
  void pump();
  bool due() const { return !queue_.empty(); }
  std::size_t size() const { return all_.size(); }

 private:
  using Ref = PageShelf::Waiter;
  enum class State : std::uint8_t { queued, reading, starved, blocked, behind };
  struct Recovery {
    std::uint32_t connection;
    std::uint32_t slot;
    std::uint32_t channel;
    Since::Kind kind;
    State state = State::queued;
    bool answered = false;  ///< its result has been told
    bool fresh = true;      ///< nothing has been read for it yet
    Offset at;              ///< it has all up to here
    std::optional<std::uint64_t> id;
  };

  Ref ref(std::uint32_t number) const { return {number, all_.generation(number)}; }
  Recovery* find(Ref ref) { return all_.find(ref.index, ref.generation); }
  void enqueue(std::uint32_t number);
  std::size_t step(Ref ref);
  CarriedPage* page_for(Ref ref, Recovery& recovery);
  std::size_t give(Ref ref, CarriedPage& page);
  void finish(Ref ref, const Position& top);
  void lose(Ref ref, const Position& top);
  void fail(Ref ref, const Error& error);
  template <class Each>
  void each_of(std::uint32_t channel, Each&& each);

  RecoveryHost& host_;
  Slab<Connection>& connections_;
  GatewayProbe& probe_;
  PageShelf* shelf_ = nullptr;
  Slab<Recovery> all_;
  std::deque<Ref> queue_;
  std::deque<Ref> starved_;
  std::vector<Ref> behind_;
  std::vector<Ref> scratch_;
};

}  // namespace peal::gateway
