#pragma once
// A broker among several: which channels it serves at this moment, in whose place, and whether it
// may. Pure: what links show comes in, time with each call.
//   Up: the others are listened to for limits.broker_settle before anything is served, so that who
//   comes back hears first what was done in its place. Another list, or another broker with this
//   one's name: nothing is served while that lasts, and for so long after it.
//   Logs in memory: the first in a channel's rank that is seen and serves. Who comes back tells the
//   others first, and gateways only when those have stopped standing in for it: so what they did in
//   its place is over before it begins. Each tells it when that was, with a mark: what it has here
//   by then, as after a partition that let both of them serve, lacks what was done there.
//   Logs on disk: the first in rank, seen or not. Logs in Redis: everybody serves every channel.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/ranks.hpp"
#include "peal/broker/log_store.hpp"
#include "peal/proto/result.hpp"

namespace peal::broker {

enum class StoreKind : std::uint8_t { memory, disk, redis };

class Membership {
 public:
  struct Config {
    std::string name;                  ///< of this broker
    std::vector<std::string> members;  ///< names in order, this one's among them; none: alone
    StoreKind store = StoreKind::memory;
    std::chrono::milliseconds settle{3000};
  };
  Membership(Config config, TimePoint now);

  /// There is no other broker; then everything is served, always.
  bool alone() const { return config_.members.size() < 2; }
  const std::vector<std::string>& members() const { return config_.members; }
  std::size_t size() const { return config_.members.size(); }
  std::size_t self() const { return self_; }
  std::optional<std::size_t> find(std::string_view name) const;

  // -- what is seen

  /// The links with another one, in either direction: is there one, does it say that the other
  /// serves, and of which look at its cluster is that (Standing::view)? Call for each of them every
  /// turn, then `turn`.
  void see(std::size_t member, bool linked, bool ready, std::uint32_t view);
  /// Another one, or something that says to be one, refused a link, or was refused, for this.
  void quarrel(std::string why, TimePoint now);
  /// This process stood still: others may have taken its place.
  void begin_again(TimePoint now);

  struct Changes {
    bool served = false;            ///< whether this broker serves is otherwise than before
    std::vector<std::size_t> gone;  ///< served, and are not seen to any more
    std::vector<std::size_t> back;  ///< serve again
    bool any() const { return served || !gone.empty() || !back.empty(); }
  };
  Changes turn(TimePoint now);

  // -- what follows

  bool ready() const { return alone() || ready_; }
  /// It serves, or will when the others have stopped: this is what those are told.
  bool comes() const { return alone() || comes_; }
  /// Empty when it is.
  std::string why_not_ready() const;
  bool serves(std::size_t member) const { return member == self_ ? ready() : seen_[member].ready; }
  bool sees(std::size_t member) const { return member == self_ || seen_[member].linked; }

  /// Who serves the channel as far as is seen here; none: its only owner is away.
  std::optional<std::size_t> server_of(std::string_view channel) const;
  /// Why this broker doesn't serve the channel now.
  std::optional<Error> why_not(std::string_view channel) const;
  /// Whether another one comes before this one for the channel.
  bool stands_in(std::string_view channel) const;
  /// Whether that one comes before this one.
  bool comes_first(std::size_t member, std::string_view channel) const;

  /// This broker has done something for the channel.
  void stood_in(std::string_view channel);
  /// Whether it has for channels of that one since the last mark.
  bool stood_in_for(std::size_t member) const { return seen_[member].stood_in_for; }
  /// That one serves again; marks grow.
  void hand_back(std::size_t member, const Epoch& mark);
  /// The last of them, for that one to be told.
  std::optional<Epoch> mark_for(std::size_t member) const { return seen_[member].mark; }

  const bus::Ranks& ranks() const { return ranks_; }

 private:
  struct Seen {
    bool linked = false;
    bool ready = false;
    bool was_ready = false;
    std::uint32_t view = 0;
    /// It may stand in for this one, until it looks at its cluster anew.
    bool awaited = false;
    std::uint32_t awaited_view = 0;
    bool stood_in_for = false;
    std::optional<Epoch> mark;
  };

  bool others_stopped(TimePoint now);

  const Config config_;
  const bus::Ranks ranks_;
  std::size_t self_ = 0;
  std::vector<Seen> seen_;
  TimePoint since_;  ///< up, and of one mind
  std::string quarrel_;
  TimePoint quarrelled_{};
  bool comes_ = false;
  TimePoint comes_since_{};
  bool ready_ = false;
  bool some_away_ = false;  ///< another one does not serve
};

}  // namespace peal::broker
