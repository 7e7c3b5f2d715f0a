#pragma once
// Where it is known of all cores together who is there, when several serve the same channels. Each
// core enters and leaves for its own members; whoever comes first and goes last of a user is judged
// there, and told to every core. Belongs to the core's thread; the store calls its sink from the
// core's LogStore::turn, or from within a call. What is said of one channel comes in one order.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "peal/broker/channel_options.hpp"
#include "peal/proto/presence.hpp"

namespace peal::broker {

using PeerId = std::uint32_t;

class PresenceStoreSink {
 public:
  virtual ~PresenceStoreSink() = default;
  /// What is told of the channel from now on is later than that this session was entered.
  virtual void on_entered(std::string_view channel, std::string_view session) = 0;
  /// A user has come or gone, at any core; `changed`: something may have been missed.
  virtual void on_event(std::string_view channel, bus::PresenceEvent::What what,
                        const bus::Member& member) = 0;
  virtual void on_answer(PeerId peer, const bus::PresenceAnswer& answer) = 0;
  /// Of all cores together the first watches the channel, or the last one has ended.
  virtual void on_occupancy(Occupancy what, std::string_view channel) = 0;
  /// All that is this core's: its members, and (without a member) its occupied channels.
  using Each = std::function<void(std::string_view channel, const bus::Member* member)>;
  virtual void each_of_ours(const Each& each) const = 0;
};

class PresenceStore {
 public:
  virtual ~PresenceStore() = default;
  /// A member of this core, or (`anew` false) only its data. `mark`: on_entered is wanted.
  virtual void enter(std::string_view channel, const bus::Member& member, bool anew, bool mark) = 0;
  virtual void leave(std::string_view channel, std::string_view session) = 0;
  /// Answered by on_answer, in the channel's order; a page has at most so many bytes.
  virtual void ask(PeerId peer, const bus::PresenceRequest& request, std::size_t bytes) = 0;
  /// This core's first watch of a channel, or the end of its last one.
  virtual void occupancy(Occupancy what, std::string_view channel) = 0;
};

}  // namespace peal::broker
