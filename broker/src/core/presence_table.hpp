#pragma once
// Who is in which channel. Pure, the core's, one thread. Each member belongs to a holder (a life of
// a gateway, presence_leases.hpp) and to the port of it that entered it (an alias of the channel).
// Promised: a user joins with its first session and leaves with its last one, whatever gateways
// they are at, and each port with members hears each of it once, in order (a session without user
// is a user of its own); counts are exact; a holder that comes back within its lease and enters its
// members again causes no event. While `quiet` nothing is emitted, because a core that has just
// started cannot know who was there before: then every port with members is told `changed` once and
// compares the digest with what it was told last, so that a set which is the same is told to
// nobody. Entering and leaving cost O(log members of the channel); a channel without members is
// forgotten. With a PresenceStore only this core's members are here: the store is told of each
// session, and says who has joined and left; a port hears it from its first member on being entered
// there.

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/presence_leases.hpp"
#include "peal/broker/presence_store.hpp"
#include "peal/proto/presence.hpp"

namespace peal::broker {

/// What the table tells: always to a port with members in the channel.
class PresenceSink {
 public:
  virtual ~PresenceSink() = default;
  virtual void on_presence_event(PeerId peer, const bus::PresenceEvent& event) = 0;
};

class PresenceTable {
 public:
  PresenceTable(const PresenceLeases& leases, PresenceSink& sink) : leases_(leases), sink_(sink) {}
  void meet_in(PresenceStore* store) { store_ = store; }

  /// Enters a session, or enters it again (with its holder's round, and maybe other data).
  void enter(HolderId holder, bus::Alias alias, std::string_view channel,
             const bus::Member& member);
  void leave(HolderId holder, std::string_view channel, std::string_view session);
  /// The port unwatches the channel: what it still has there leaves.
  void leave_all(HolderId holder, bus::Alias alias, std::string_view channel);
  /// Members of a holder whose lease is over, at most `limit`; true: there are more.
  bool expire(HolderId holder, std::size_t limit);

  /// One page of the set, at most `bytes` of it (one member at least).
  void answer(const bus::PresenceRequest& request, std::size_t bytes,
              std::vector<bus::Member>& members, bus::PresenceAnswer& out) const;

  // What the store says.
  /// The session's port hears from now on what is told of the channel.
  void hear(std::string_view channel, std::string_view session);
  void tell(std::string_view channel, bus::PresenceEvent::What what, const bus::Member& member);
  void each_member(const PresenceStoreSink::Each& each) const;

  /// Nothing is emitted; turned off, everybody is told to look again.
  void set_quiet(bool quiet);
  bool quiet() const { return quiet_; }

  std::size_t members() const { return members_; }
  std::size_t channels() const { return channels_.size(); }

 private:
  struct Channel;
  struct Entry {
    Channel* channel = nullptr;
    const std::string* session = nullptr;  ///< its key in the channel
    std::string user;
    std::string data;
    HolderId holder = 0;
    std::uint32_t alias = 0;  ///< index of the port's alias
    std::uint32_t round = 0;
    std::list<Entry*>::iterator place;  ///< among its holder's members
  };
  /// A port that has members in a channel.
  struct Port {
    HolderId holder;
    bus::Alias alias;
    std::uint32_t round;
    std::size_t members;
    bool hears;
  };
  struct Channel {
    std::string name;
    std::map<std::string, Entry, std::less<>> sessions;
    std::unordered_map<std::string, std::size_t> users;  ///< sessions of each named user
    std::vector<Port> ports;
    std::size_t anonymous = 0;
    std::uint64_t digest = 0;
  };
  using Sessions = std::map<std::string, Entry, std::less<>>;

  Channel* find(std::string_view channel) const;
  Channel& make(std::string_view channel);
  Port& port_of(Channel& channel, HolderId holder, bus::Alias alias);
  void release_port(Channel& channel, const Entry& entry);
  void add_user(Channel& channel, const bus::Member& member);
  void remove_user(Channel& channel, const bus::Member& member);
  void remove(Channel& channel, Sessions::iterator at);
  void tell(const Channel& channel, bus::PresenceEvent::What what, const bus::Member& member) const;
  std::list<Entry*>& members_of(HolderId holder);
  static bus::Member view(const std::string& session, const Entry& entry) {
    return {session, entry.user, entry.data};
  }

  const PresenceLeases& leases_;
  PresenceSink& sink_;
  PresenceStore* store_ = nullptr;
  std::unordered_map<std::string_view, std::unique_ptr<Channel>> channels_;
  std::vector<std::list<Entry*>> by_holder_;  ///< those of older rounds first
  std::size_t members_ = 0;
  bool quiet_ = false;
};

}  // namespace peal::broker
