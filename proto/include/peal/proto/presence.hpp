#pragma once
// Who is there: a channel's presence is the set of sessions that entered it, each with its user and
// data. Said on the bus like everything else (bus_messages.hpp): the gateway that has the session
// enters and leaves for it, the core keeps the sets and tells who joined and left. Join and leave
// are per user (first session in, last one out; a session without a user counts as a user of its
// own), are not in the log and have no offset. Views borrow, as in bus_messages.hpp.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::bus {

/// One session in a channel. `session` is unique in the cluster.
struct Member {
  std::string_view session;
  std::string_view user;  ///< empty: anonymous
  std::string_view data;  ///< JSON, or empty
};

/// Asks who is there. `limit` 0: only the counts.
struct PresenceRequest {
  RequestId id = 0;
  std::string_view channel;
  std::string_view after;  ///< members whose session is above this, in session order
  std::size_t limit = 1000;
};

struct PresenceAnswer {
  RequestId id = 0;
  std::optional<Error> error;
  std::span<const Member> members;
  bool more = false;           ///< there are members above the last one of these
  std::uint64_t sessions = 0;  ///< exact, whatever `limit` was
  std::uint64_t users = 0;
  /// All presence_key()s of the set, by exclusive or: join and leave each change it by theirs, so
  /// whoever heard them all holds the same number.
  std::uint64_t digest = 0;
  /// False while a core that has just started may not know of everybody; `changed` comes after.
  bool settled = true;
};

/// For a port that watches the channel and has members in it.
struct PresenceEvent {
  enum class What : std::uint8_t {
    join,
    leave,
    changed,  ///< what was said may not be all: ask again. Without a member
    refused,  ///< the member was not entered: limits, or no rule says presence
  };
  Alias alias;
  What what = What::join;
  Member member;  ///< the session that came first, or went last
};

/// What a member counts as: its user, or without one itself.
inline std::uint64_t presence_key(const Member& member) {
  constexpr std::uint64_t kApart = 0x9e3779b97f4a7c15;  // a session named like a user is not it
  return member.user.empty() ? stable_hash(member.session) * kApart : stable_hash(member.user);
}

}  // namespace peal::bus
