#include "redis/lanes.hpp"

#include <algorithm>

namespace peal::redis {

void Lanes::add(Id id, std::uint16_t slot) {
  Lane& lane = lanes_[slot];
  if (!lane.held.empty() || lane.detour) {
    lane.held.push_back({id, {}});
    return;
  }
  ++lane.under_way;
  actions_.send(id, slot, {});
}

void Lanes::ended(Id, std::uint16_t slot) {
  --lanes_.at(slot).under_way;
  settle(slot);
}

void Lanes::came_back(Id id, std::uint16_t slot, Route route, bool pause) {
  Lane& lane = lanes_.at(slot);
  --lane.under_way;
  const auto place = std::ranges::find_if(lane.held, [id](const Held& h) { return h.id > id; });
  lane.held.insert(place, {id, std::move(route)});
  lane.pause |= pause;
  settle(slot);
}

void Lanes::settle(std::uint16_t slot) {
  const auto found = lanes_.find(slot);
  Lane& lane = found->second;
  if (lane.under_way > 0 || lane.pausing) return;
  lane.detour = false;
  if (lane.held.empty()) {
    lanes_.erase(found);
  } else if (lane.pause) {
    lane.pause = false;
    lane.pausing = true;
    actions_.pause(slot);
  } else {
    release(slot, lane);
  }
}

void Lanes::resume(std::uint16_t slot) {
  const auto found = lanes_.find(slot);
  if (found == lanes_.end() || !found->second.pausing) return;
  found->second.pausing = false;
  settle(slot);
}

/// All that go the first one's way, up to the first that doesn't.
void Lanes::release(std::uint16_t slot, Lane& lane) {
  const Route route = lane.held.front().route;
  lane.detour = route.asking;
  std::vector<Id> out;
  while (!lane.held.empty() && lane.held.front().route == route) {
    out.push_back(lane.held.front().id);
    lane.held.pop_front();
  }
  lane.under_way += out.size();
  for (const Id id : out)
    actions_.send(id, slot, route);
}

std::vector<Lanes::Id> Lanes::take_expired(const std::function<bool(Id)>& expired) {
  std::vector<Id> out;
  std::vector<std::uint16_t> touched;
  for (auto& [slot, lane] : lanes_) {
    const std::size_t before = lane.held.size();
    std::erase_if(lane.held, [&](const Held& held) {
      if (!expired(held.id)) return false;
      out.push_back(held.id);
      return true;
    });
    if (lane.held.size() != before) touched.push_back(slot);
  }
  for (const std::uint16_t slot : touched)
    settle(slot);
  return out;
}

}  // namespace peal::redis
