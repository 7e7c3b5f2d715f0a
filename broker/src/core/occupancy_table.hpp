#pragma once
// Which channels somebody is subscribed to, for backends. A channel is occupied from the first
// watch of any port until the last one has ended; a gateway that is gone goes on watching until its
// lease is over, so that its coming back tells nothing. Pure, the core's. While `quiet` nothing is
// told, because a core that has just started cannot know what was told before: then `reset` is
// told, and after it each channel that is occupied, some at a time in name order. Only channels
// whose rule says occupancy are kept here.

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/presence_leases.hpp"

namespace peal::broker {

class OccupancyTable {
 public:
  /// Hears what is to be published; `channel` is empty with reset.
  using Tell = std::function<void(Occupancy what, std::string_view channel)>;
  OccupancyTable(const PresenceLeases& leases, Tell tell)
      : leases_(leases), tell_(std::move(tell)) {}

  /// The channel's rule says so: call before it is watched.
  void add(std::string_view channel);
  bool known(std::string_view channel) const {
    return !channels_.empty() && channels_.contains(channel);
  }
  /// A port watches the channel, or again after its link came back.
  void watched(HolderId holder, bus::Alias alias, std::string_view channel);
  void unwatched(HolderId holder, bus::Alias alias, std::string_view channel);
  /// Watches of a holder whose lease is over, at most `limit`; true: there are more.
  bool expire(HolderId holder, std::size_t limit);

  void set_quiet();
  /// Tells what is to be told after the quiet time, at most `limit` channels; true: there are more.
  bool announce(std::size_t limit);

  std::size_t channels() const { return channels_.size(); }
  void each_occupied(const std::function<void(std::string_view)>& each) const;

 private:
  struct Channel;
  struct Hold {
    Channel* channel;
    HolderId holder;
    std::uint32_t alias;
    std::uint32_t round;
  };
  struct Channel {
    const std::string* name = nullptr;
    std::vector<std::list<Hold>::iterator> holds;
  };
  void release(std::list<Hold>::iterator hold);
  void tell(Occupancy what, std::string_view channel);

  const PresenceLeases& leases_;
  const Tell tell_;
  std::map<std::string, Channel, std::less<>> channels_;
  std::vector<std::list<Hold>> by_holder_;  ///< those of older rounds first
  enum class Phase : std::uint8_t { telling, quiet, announcing } phase_ = Phase::telling;
  std::string announced_;  ///< up to and including this name
};

}  // namespace peal::broker
