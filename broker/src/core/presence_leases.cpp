#include "core/presence_leases.hpp"

namespace peal::broker {

HolderId PresenceLeases::make(std::uint64_t incarnation) {
  if (free_.empty()) {
    free_.push_back(static_cast<HolderId>(holders_.size()));
    holders_.emplace_back();
  }
  const HolderId id = free_.back();
  free_.pop_back();
  // A number that is used again goes on counting, so that no round comes twice.
  const std::uint32_t round = holders_[id].round + 1;
  holders_[id] = Holder{incarnation, std::nullopt, round, std::nullopt, true};
  if (incarnation != 0) by_incarnation_[incarnation] = id;
  return id;
}

void PresenceLeases::attach(PeerId peer, std::uint64_t incarnation, TimePoint now) {
  if (incarnation == 0) return;
  const auto known = by_incarnation_.find(incarnation);
  if (known == by_incarnation_.end()) {
    const HolderId id = make(incarnation);
    holders_[id].peer = peer;
    by_peer_[peer] = id;
    return;
  }
  Holder& holder = holders_[known->second];
  if (holder.peer) by_peer_.erase(*holder.peer);  // its new link came before the old one's end
  holder.peer = peer;
  ++holder.round;
  holder.deadline = now + lease_;
  by_peer_[peer] = known->second;
}

void PresenceLeases::detach(PeerId peer, TimePoint now) {
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) return;
  Holder& holder = holders_[found->second];
  by_peer_.erase(found);
  holder.peer.reset();
  holder.deadline = holder.incarnation == 0 ? now : now + lease_;
}

HolderId PresenceLeases::holder_of(PeerId peer) {
  if (const auto found = find(peer)) return *found;
  const HolderId id = make(0);
  holders_[id].peer = peer;
  by_peer_[peer] = id;
  return id;
}

std::optional<HolderId> PresenceLeases::find(PeerId peer) const {
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) return std::nullopt;
  return found->second;
}

std::optional<HolderId> PresenceLeases::due(TimePoint now) const {
  for (HolderId id = 0; id < holders_.size(); ++id) {
    const Holder& holder = holders_[id];
    if (holder.used && holder.deadline && *holder.deadline <= now) return id;
  }
  return std::nullopt;
}

void PresenceLeases::settled(HolderId id) {
  Holder& holder = holders_[id];
  holder.deadline.reset();
  if (holder.peer) return;
  if (holder.incarnation != 0) by_incarnation_.erase(holder.incarnation);
  holder.used = false;
  free_.push_back(id);
}

}  // namespace peal::broker
