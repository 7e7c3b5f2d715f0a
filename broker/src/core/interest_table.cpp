#include "core/interest_table.hpp"

#include <cassert>

#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

constexpr std::size_t kCellsMin = 64;

/// The low bits pick the home shard, so the index uses the high ones.
std::uint32_t folded(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32U);
}

}  // namespace

InterestTable::InterestTable() : cells_(kCellsMin) {}

InterestTable::ChannelId InterestTable::find(std::string_view name, std::uint64_t hash) const {
  const std::uint32_t wanted = folded(hash);
  for (std::size_t i = home(wanted);; i = (i + 1) & (cells_.size() - 1)) {
    const Cell& cell = cells_[i];
    if (cell.id == kNone) return kNone;
    if (cell.hash == wanted && at(cell.id).name == name) return cell.id;
  }
}

InterestTable::ChannelId InterestTable::find(std::string_view name) const {
  return find(name, stable_hash(name));
}

InterestTable::ChannelId InterestTable::create(std::string_view name, std::uint64_t hash) {
  if ((channels_ + 1) * 3 > cells_.size() * 2) resize(cells_.size() * 2);
  if (free_.empty()) {
    const std::size_t base = chunks_.size() * kChunk;
    chunks_.push_back(std::make_unique<Channel[]>(kChunk));
    free_.reserve(base + kChunk);
    for (std::size_t i = kChunk; i > 0; --i) {
      free_.push_back(static_cast<ChannelId>(base + i - 1));
    }
  }
  const ChannelId id = free_.back();
  free_.pop_back();
  Channel& channel = at(id);
  channel.name.assign(name);
  channel.hash = folded(hash);
  channel.waiting = 0;
  channel.user = 0;
  channel.tail = 0;
  insert_cell(channel.hash, id);
  ++channels_;
  return id;
}

void InterestTable::forget(ChannelId id) {
  Channel& channel = at(id);
  assert(idle(id));
  erase_cell(channel.hash, id);
  channel.name = {};
  channel.targets.clear();
  channel.user = 0;
  free_.push_back(id);
  --channels_;
  if (channels_ == 0 && chunks_.size() > 1) {
    chunks_.clear();
    free_.clear();
    free_.shrink_to_fit();
  }
  if (cells_.size() > kCellsMin && channels_ * 8 < cells_.size()) resize(cells_.size() / 2);
}

InterestTable::Watch InterestTable::watch_at(PeerId peer, std::uint32_t index) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end() || index >= found->second.slots.size()) return {};
  const Slot& slot = found->second.slots[index];
  return {slot.channel, {index, slot.generation}};
}

InterestTable::ChannelId InterestTable::watched(PeerId peer, bus::Alias alias) const {
  const Watch watch = watch_at(peer, alias.index);
  return watch.alias == alias ? watch.channel : kNone;
}

void InterestTable::watch(PeerId peer, bus::Alias alias, ChannelId channel) {
  Peer& entry = peers_[peer];
  if (alias.index >= entry.slots.size()) entry.slots.resize(alias.index + std::size_t{1});
  Slot& slot = entry.slots[alias.index];
  assert(slot.channel == kNone);
  slot = {alias.generation, channel};
  ++entry.watches;
  ++watches_;
  ++at(channel).waiting;
}

void InterestTable::admit(PeerId peer, bus::Alias alias, ChannelId channel) {
  Channel& entry = at(channel);
  assert(entry.waiting > 0);
  --entry.waiting;
  entry.targets.push_back({peer, alias});
}

InterestTable::ChannelId InterestTable::unwatch(PeerId peer, bus::Alias alias) {
  const ChannelId id = watched(peer, alias);
  if (id == kNone) return kNone;
  const auto found = peers_.find(peer);
  Peer& entry = found->second;
  entry.slots[alias.index] = {};
  --watches_;
  if (--entry.watches == 0) peers_.erase(found);
  Channel& channel = at(id);
  if (!channel.targets.erase(peer, alias)) --channel.waiting;
  return id;
}

bool InterestTable::last_watch(PeerId peer, Watch& out) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return false;
  auto& slots = found->second.slots;
  while (slots.back().channel == kNone)
    slots.pop_back();
  out = {slots.back().channel,
         {static_cast<std::uint32_t>(slots.size() - 1), slots.back().generation}};
  return true;
}

void InterestTable::insert_cell(std::uint32_t hash, ChannelId id) {
  std::size_t i = home(hash);
  while (cells_[i].id != kNone)
    i = (i + 1) & (cells_.size() - 1);
  cells_[i] = {hash, id};
}

// Linear probing without tombstones: what comes after the hole and may move there moves there.
void InterestTable::erase_cell(std::uint32_t hash, ChannelId id) {
  const std::size_t mask = cells_.size() - 1;
  std::size_t hole = home(hash);
  while (cells_[hole].id != id)
    hole = (hole + 1) & mask;
  for (std::size_t i = (hole + 1) & mask; cells_[i].id != kNone; i = (i + 1) & mask) {
    const std::size_t wanted = home(cells_[i].hash);
    if (((i - wanted) & mask) >= ((i - hole) & mask)) {
      cells_[hole] = cells_[i];
      hole = i;
    }
  }
  cells_[hole] = {};
}

void InterestTable::resize(std::size_t cells) {
  std::vector<Cell> old(cells);
  old.swap(cells_);
  for (const Cell& cell : old) {
    if (cell.id != kNone) insert_cell(cell.hash, cell.id);
  }
}

}  // namespace peal::broker
