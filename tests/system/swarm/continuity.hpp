#pragma once
// Judges clients that come back with their positions (journal.hpp, lines B, D, E): from where each
// said it follows a channel, every offset above must be delivered once and in order, whatever links
// it used, with the payload that was published there.
//   lost       never delivered though published before the end, and nothing later was either
//   skipped    never delivered, but something later was: a silent gap
//   duplicated delivered again
//   reordered  delivered behind a later one
//   phantom    never published there: refused, another channel's, another epoch's, other payload
//   told       the client was told that the past is gone (reset, recovered: false): no fault
// What became of unknown publishes is learned from the first client that hears them: all must
// agree.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace peal::swarm {

struct ContinuityVerdict {
  std::uint64_t publishes = 0, ok = 0, refused = 0, unknown = 0;
  std::uint64_t followed = 0, deliveries = 0, due = 0, told = 0;
  std::uint64_t lost = 0, skipped = 0, duplicated = 0, reordered = 0, phantom = 0;
  std::uint64_t epochs = 0;  ///< of all channels that acknowledged publications are in
  std::uint64_t faults() const { return lost + skipped + duplicated + reordered + phantom; }
  std::string json() const;
};

class Continuity {
 public:
  explicit Continuity(std::ostream& says) : says_(says) {}
  /// Takes a whole journal; false when it is broken. Producers' first.
  bool read(std::string_view journal);
  ContinuityVerdict verdict();

 private:
  enum class Outcome : std::uint8_t { ok, refused, unknown };
  struct Message {
    std::uint64_t channel = 0;
    Outcome outcome = Outcome::ok;
    bool placed = false;  ///< offset and epoch are known
    std::uint64_t offset = 0, epoch = 0;
  };
  struct Follower {
    std::uint64_t epoch = 0, next = 0;
    bool told_end = false;
    std::vector<std::uint64_t> missing;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  bool publish(const std::vector<std::uint64_t>& n, std::string_view outcome);
  void begin(const std::vector<std::uint64_t>& n, bool told);
  void deliver(const std::vector<std::uint64_t>& n);
  bool belongs(Message& message, const std::vector<std::uint64_t>& n, std::uint64_t epoch);
  void finish(const Key& key, Follower& follower);
  void fault(std::uint64_t& counter, const char* what, std::uint64_t client, std::uint64_t channel,
             std::uint64_t offset);

  std::ostream& says_;
  ContinuityVerdict verdict_;
  std::unordered_map<std::uint64_t, Message> messages_;  ///< publisher << 32 | number
  std::map<Key, std::map<std::uint64_t, std::uint64_t>>
      at_;                             ///< {channel, epoch}: offset -> message
  std::map<Key, Follower> followers_;  ///< {client, channel}
  std::uint64_t said_ = 0;
};

}  // namespace peal::swarm
