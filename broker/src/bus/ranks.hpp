#pragma once
// Which broker serves a channel before which: each gives every channel a weight by its name
// (rendezvous hashing), so that a broker that comes or goes moves only its own channels. By name
// and never by address; every process that has the same list ranks alike. Pure.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "peal/proto/channel_name.hpp"

namespace peal::bus {

class Ranks {
 public:
  Ranks() = default;
  /// Names in order, no two alike.
  explicit Ranks(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      seeds_.push_back(stable_hash(name));
  }

  std::size_t size() const { return seeds_.size(); }
  /// Whether broker `a` comes before `b` for the channel of this stable_hash.
  bool before(std::size_t a, std::size_t b, std::uint64_t channel) const {
    const std::uint64_t of_a = weight(a, channel);
    const std::uint64_t of_b = weight(b, channel);
    return of_a != of_b ? of_a > of_b : a < b;
  }
  /// The first of those that `may` serve it.
  template <class May>
  std::optional<std::size_t> first(std::uint64_t channel, const May& may) const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < seeds_.size(); ++i) {
      if (may(i) && (!best || before(i, *best, channel))) best = i;
    }
    return best;
  }
  /// The very first. There is one at least.
  std::size_t owner(std::uint64_t channel) const {
    return *first(channel, [](std::size_t) { return true; });
  }
  /// All of them, the first first.
  std::vector<std::size_t> order(std::uint64_t channel) const {
    std::vector<std::size_t> all(seeds_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::ranges::sort(all, [&](std::size_t a, std::size_t b) { return before(a, b, channel); });
    return all;
  }

 private:
  std::uint64_t weight(std::size_t broker, std::uint64_t channel) const {
    std::uint64_t mixed = seeds_[broker] ^ (channel * 0x9e3779b97f4a7c15U);
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }

  std::vector<std::uint64_t> seeds_;
};

}  // namespace peal::bus
