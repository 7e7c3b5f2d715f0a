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

#include "machine.hpp"
#include "peal/broker/log_store.hpp"
#include "peal/proto/position.hpp"

namespace peal::simulation {

class Truth {
 public:
  explicit Truth(World& world) : world_(world) {}

  void took(std::string_view channel, const Position& position, std::string_view payload,
            const Machine& by);

  struct Taken {
    std::string channel;
    Position position;
    std::string payload;
    const Machine* by;
    Time when;
  };
  const std::vector<Taken>& all() const { return all_; }
  /// What is there, or null.
  const Taken* taken(const std::string& channel, const Position& position) const;
  /// The payload there, or empty.
  std::string_view at(const std::string& channel, const Position& position) const;
  /// What the channel took last, whoever did; null: nothing yet.
  const Taken* last(std::string_view channel) const;
  /// Where the epoch's log ends.
  Offset top(const std::string& channel, const Epoch& epoch) const;
  /// What can't be: an offset given twice, or going back.
  const std::vector<std::string>& contradictions() const { return contradictions_; }

 private:
  World& world_;
  std::vector<Taken> all_;
  std::map<std::pair<std::string, Epoch>, std::map<Offset, std::size_t>> index_;
  std::map<std::string, std::size_t, std::less<>> last_;  ///< by channel
  std::vector<std::string> contradictions_;
};

/// Mistakes that a broker could make of whose epochs others have outrun.
struct EpochMistakes {
  bool ends_none = false;      ///< when others may have served its channels
  bool outruns_none = false;   ///< that a gateway has seen elsewhere
  bool goes_on_in_it = false;  ///< in the epoch that another broker has begun
};

/// A store of `make`'s whose appends, on this machine, are written down in `truth`.
broker::MakeLogStore witnessed(broker::MakeLogStore make, Truth& truth, const Machine& machine,
                               EpochMistakes mistakes);

}  // namespace peal::simulation
