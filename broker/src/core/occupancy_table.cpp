#include "core/occupancy_table.hpp"

#include <algorithm>

#include "peal/proto/json.hpp"

namespace peal::broker {

std::string occupancy_json(Occupancy what, std::string_view channel) {
  if (what == Occupancy::reset) return R"({"event":"reset"})";
  std::string json = R"({"event":")";
  json += what == Occupancy::occupied ? "occupied" : "vacated";
  json += R"(","channel":)";
  append_json_string(json, channel);
  return json += '}';
}

void OccupancyTable::tell(Occupancy what, std::string_view channel) {
  const bool due =
      phase_ == Phase::telling || (phase_ == Phase::announcing && channel <= announced_);
  if (due) tell_(what, channel);
}

void OccupancyTable::add(std::string_view channel) {
  if (known(channel)) return;
  const auto made = channels_.emplace(std::string(channel), Channel()).first;
  made->second.name = &made->first;
}

void OccupancyTable::watched(HolderId holder, bus::Alias alias, std::string_view name) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  Channel& channel = found->second;
  if (holder >= by_holder_.size()) by_holder_.resize(holder + std::size_t{1});
  auto& mine = by_holder_[holder];
  for (const auto hold : channel.holds) {
    if (hold->holder != holder || hold->alias != alias.index) continue;
    hold->round = leases_.round_of(holder);
    mine.splice(mine.end(), mine, hold);
    return;
  }
  const Hold hold{&channel, holder, alias.index, leases_.round_of(holder)};
  channel.holds.push_back(mine.insert(mine.end(), hold));
  if (channel.holds.size() == 1) tell(Occupancy::occupied, name);
}

void OccupancyTable::unwatched(HolderId holder, bus::Alias alias, std::string_view name) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  const auto mine = [&](const auto& hold) {
    return hold->holder == holder && hold->alias == alias.index;
  };
  const auto hold = std::ranges::find_if(found->second.holds, mine);
  if (hold != found->second.holds.end()) return release(*hold);
  if (found->second.holds.empty()) channels_.erase(found);  // its only watch was refused
}

void OccupancyTable::release(std::list<Hold>::iterator hold) {
  Channel& channel = *hold->channel;
  std::erase(channel.holds, hold);
  by_holder_[hold->holder].erase(hold);
  if (!channel.holds.empty()) return;
  const auto found = channels_.find(*channel.name);
  tell(Occupancy::vacated, found->first);
  channels_.erase(found);
}

bool OccupancyTable::expire(HolderId holder, std::size_t limit) {
  if (holder >= by_holder_.size()) return false;
  auto& mine = by_holder_[holder];
  const bool away = !leases_.peer_of(holder).has_value();
  const auto stale = [&] {
    return !mine.empty() && (away || mine.front().round != leases_.round_of(holder));
  };
  for (std::size_t i = 0; i < limit && stale(); ++i)
    release(mine.begin());
  return stale();
}

void OccupancyTable::each_occupied(const std::function<void(std::string_view)>& each) const {
  for (const auto& [name, channel] : channels_)
    if (!channel.holds.empty()) each(name);
}

void OccupancyTable::set_quiet() {
  phase_ = Phase::quiet;
}

bool OccupancyTable::announce(std::size_t limit) {
  if (phase_ == Phase::telling) return false;
  if (phase_ == Phase::quiet) {
    tell_(Occupancy::reset, {});
    phase_ = Phase::announcing;
    announced_.clear();
  }
  auto at = channels_.upper_bound(announced_);
  for (std::size_t i = 0; i < limit && at != channels_.end(); ++i, ++at) {
    announced_ = at->first;
    if (!at->second.holds.empty()) tell_(Occupancy::occupied, at->first);
  }
  if (at != channels_.end()) return true;
  phase_ = Phase::telling;
  return false;
}

}  // namespace peal::broker
