#pragma once
// Which aliases a port's owner watches at this moment and where their channels are at home, so that
// nothing of a channel comes after `unwatch` returned: what was already on its way carries an alias
// that is no longer here.

#include <cstdint>
#include <optional>
#include <vector>

#include "peal/bus/bus_port.hpp"

namespace peal::bus {

class WatchedAliases {
 public:
  void add(Alias alias, std::uint32_t home) {
    if (alias.index >= entries_.size()) entries_.resize(alias.index + std::size_t{1});
    entries_[alias.index] = {alias.generation, home + 1};
  }
  void remove(Alias alias) {
    if (contains(alias)) entries_[alias.index].home_plus_one = 0;
  }
  bool contains(Alias alias) const {
    if (alias.index >= entries_.size()) return false;
    const Entry& entry = entries_[alias.index];
    return entry.home_plus_one != 0 && entry.generation == alias.generation;
  }

  struct Watched {
    Alias alias;
    std::uint32_t home;
  };
  /// What is watched under this index, of whatever generation.
  std::optional<Watched> at(std::uint32_t index) const {
    if (index >= entries_.size() || entries_[index].home_plus_one == 0) return std::nullopt;
    return Watched{{index, entries_[index].generation}, entries_[index].home_plus_one - 1};
  }

 private:
  struct Entry {
    std::uint32_t generation = 0;
    std::uint32_t home_plus_one = 0;  ///< 0: not watched
  };
  std::vector<Entry> entries_;
};

}  // namespace peal::bus
