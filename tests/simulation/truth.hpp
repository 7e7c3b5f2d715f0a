#pragma once
// What brokers' stores have really taken, as nobody in the run can know it: every publication with
// its position, in order. Kept for the whole run, whatever the brokers forget.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/broker/log_store.hpp"
#include "peal/proto/position.hpp"
#include "world.hpp"

namespace peal::simulation {

class Truth {
 public:
  explicit Truth(World& world) : world_(world) {}

  void took(std::string_view channel, const Position& position, std::string_view payload);

  struct Taken {
    std::string channel;
    Position position;
    std::string payload;
  };
  const std::vector<Taken>& all() const { return all_; }
  /// The payload there, or empty.
  std::string_view at(const std::string& channel, const Position& position) const;
  /// Where the epoch's log ends.
  Offset top(const std::string& channel, const Epoch& epoch) const;
  /// What can't be: an offset given twice, or going back.
  const std::vector<std::string>& contradictions() const { return contradictions_; }

 private:
  World& world_;
  std::vector<Taken> all_;
  std::map<std::pair<std::string, Epoch>, std::map<Offset, std::size_t>> index_;
  std::vector<std::string> contradictions_;
};

/// A store of `make`'s whose appends are written down in `truth`.
broker::MakeLogStore witnessed(broker::MakeLogStore make, Truth& truth);

}  // namespace peal::simulation
