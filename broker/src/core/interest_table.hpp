#pragma once
// Who watches what: per channel a contiguous array of targets, per peer its aliases. Pure, one
// thread. Built for 100,000s of channels: an entry is 72 bytes (a long name more), found by one
// hash of the name in an open-addressed index; one target lies in the entry itself. A channel
// nobody watches is erased, so every count returns to 0 and a sparse index shrinks. `user` is the
// owner's word per channel (the core keeps there which log belongs to it).

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/target_list.hpp"

namespace peal::broker {

class InterestTable {
 public:
  using ChannelId = std::uint32_t;
  static constexpr ChannelId kNone = ~ChannelId{0};

  struct Channel {
    std::string name;
    TargetList targets;
    std::uint32_t hash = 0;     ///< what the index goes by
    std::uint32_t waiting = 0;  ///< watches that have no target yet
    std::uint32_t user = 0;
    std::uint32_t tail = 0;  ///< the owner's too: where its TailChecks have it
  };

  InterestTable();

  ChannelId find(std::string_view name, std::uint64_t hash) const;
  ChannelId find(std::string_view name) const;
  Channel& at(ChannelId id) { return chunks_[id / kChunk][id % kChunk]; }
  const Channel& at(ChannelId id) const { return chunks_[id / kChunk][id % kChunk]; }
  /// The channel's `user`; 0 when there is no such channel now.
  std::uint32_t user_of(ChannelId id) const {
    return id / kChunk < chunks_.size() ? at(id).user : 0;
  }
  /// A new channel; it must be unknown, and be watched soon.
  ChannelId create(std::string_view name, std::uint64_t hash);

  /// The channel that the peer watches under this alias (index and generation), or kNone.
  ChannelId watched(PeerId peer, bus::Alias alias) const;
  /// What the index stands for now, of whatever generation.
  struct Watch {
    ChannelId channel = kNone;
    bus::Alias alias;
  };
  Watch watch_at(PeerId peer, std::uint32_t index) const;

  /// The alias now means the channel. It gets publications only after `admit`.
  void watch(PeerId peer, bus::Alias alias, ChannelId channel);
  void admit(PeerId peer, bus::Alias alias, ChannelId channel);
  /// Ends the watch; returns its channel (kNone: there was none). The channel stays until `forget`.
  ChannelId unwatch(PeerId peer, bus::Alias alias);
  /// Whether nobody watches it, not even waiting.
  bool idle(ChannelId id) const { return at(id).targets.empty() && at(id).waiting == 0; }
  void forget(ChannelId id);

  /// Some alias of the peer, or none when it has no watch left (then the peer is forgotten).
  bool last_watch(PeerId peer, Watch& out);

  std::size_t channels() const { return channels_; }
  std::size_t watches() const { return watches_; }
  std::size_t peers() const { return peers_.size(); }

  template <class Each>
  void each_channel(Each&& each) const {
    for (const Cell& cell : cells_) {
      if (cell.id != kNone) each(cell.id, at(cell.id));
    }
  }

 private:
  static constexpr std::size_t kChunk = 1024;
  struct Cell {
    std::uint32_t hash = 0;
    ChannelId id = kNone;
  };
  struct Slot {
    std::uint32_t generation = 0;
    ChannelId channel = kNone;
  };
  struct Peer {
    std::vector<Slot> slots;  ///< by alias index
    std::size_t watches = 0;
  };

  std::size_t home(std::uint32_t hash) const { return hash & (cells_.size() - 1); }
  void insert_cell(std::uint32_t hash, ChannelId id);
  void erase_cell(std::uint32_t hash, ChannelId id);
  void resize(std::size_t cells);

  std::vector<Cell> cells_;
  std::vector<std::unique_ptr<Channel[]>> chunks_;
  std::vector<ChannelId> free_;
  std::unordered_map<PeerId, Peer> peers_;
  std::size_t channels_ = 0;
  std::size_t watches_ = 0;
};

}  // namespace peal::broker
