#pragma once
// Who holds members: a holder is one life of a gateway (its incarnation), whatever links it has
// had. While it is linked it has a peer. A link that goes leaves the holder `away` for one lease; a
// link that comes back within it finds the same holder in its next round, and what it has not
// entered again by one lease later is stale. A peer that never named an incarnation (a shard of the
// same process) is a holder of its own, whose lease is over as soon as it goes. Pure, the core's.

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "peal/broker/core.hpp"

namespace peal::broker {

using HolderId = std::uint32_t;

class PresenceLeases {
 public:
  explicit PresenceLeases(std::chrono::milliseconds lease) : lease_(lease) {}

  /// The peer's process, before it enters anything.
  void attach(PeerId peer, std::uint64_t incarnation, TimePoint now);
  /// The peer is gone.
  void detach(PeerId peer, TimePoint now);
  /// The peer's holder; a peer that was never attached becomes one.
  HolderId holder_of(PeerId peer);
  std::optional<HolderId> find(PeerId peer) const;

  /// The holder's peer now; none: it is away.
  std::optional<PeerId> peer_of(HolderId holder) const { return holders_[holder].peer; }
  /// What is entered in an older round is stale.
  std::uint32_t round_of(HolderId holder) const { return holders_[holder].round; }

  /// A holder with a lease that is over; its stale members (all of them, when it is away) leave,
  /// then it is `settled`.
  std::optional<HolderId> due(TimePoint now) const;
  void settled(HolderId holder);

  std::chrono::milliseconds lease() const { return lease_; }
  std::size_t holders() const { return holders_.size() - free_.size(); }

 private:
  struct Holder {
    std::uint64_t incarnation = 0;  ///< 0: none was named
    std::optional<PeerId> peer;
    std::uint32_t round = 1;
    std::optional<TimePoint> deadline;
    bool used = false;
  };
  HolderId make(std::uint64_t incarnation);

  const std::chrono::milliseconds lease_;
  std::vector<Holder> holders_;
  std::vector<HolderId> free_;
  std::unordered_map<PeerId, HolderId> by_peer_;
  std::unordered_map<std::uint64_t, HolderId> by_incarnation_;
};

}  // namespace peal::broker
