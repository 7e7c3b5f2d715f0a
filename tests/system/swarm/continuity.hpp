#pragma once
// Judges clients that come back with their positions (journal.hpp, lines B, D, E): from where each
// said it follows a channel, every offset above must be delivered once and in order, whatever links
// it used, with the payload that was published there.
//   lost       never delivered though published before the end, and nothing later was either
//   skipped    never delivered, but something later was: a silent gap
//   duplicated delivered again
//   reordered  delivered behind a later one
//   phantom    never published there: refused, another channel's, another epoch's, other payload
//   stale      follows an epoch again that it had left for another one
//   told       the client was told that the past is gone (reset, recovered: false): no fault
// What became of unknown publishes is learned from the first client that hears them: all must
// agree. Around an outage: nothing may be acknowledged while no broker lives (false results), and
// `back_after_ms` is when the last of all followers heard something that was sent after its end.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "judge.hpp"

namespace peal::swarm {

struct ContinuityVerdict {
  std::uint64_t publishes = 0, ok = 0, refused = 0, unknown = 0;
  std::uint64_t followed = 0, deliveries = 0, due = 0, told = 0;
  std::uint64_t lost = 0, skipped = 0, duplicated = 0, reordered = 0, phantom = 0;
  std::uint64_t stale = 0, false_results = 0;
  std::uint64_t epochs = 0;   ///< of all channels that acknowledged publications are in
  std::uint64_t kept = 0;     ///< acknowledged after several tries
  std::uint64_t unheard = 0;  ///< of those, with no position told and heard by nobody
  std::uint64_t told_min = 0, told_max = 0;   ///< of one follower
  double back_after_ms = -1, silence_ms = 0;  ///< of the slowest follower; -1: never
  double seconds = 0, per_second = 0;         ///< of acknowledged ones
  std::uint64_t faults() const {
    return lost + skipped + duplicated + reordered + phantom + stale + false_results;
  }
  std::string json() const;
};

class Continuity {
 public:
  Continuity(Rules rules, std::ostream& says) : rules_(rules), says_(says) {}
  /// Takes a whole journal; false when it is broken. Producers' first.
  bool read(std::string_view journal);
  ContinuityVerdict verdict();

 private:
  enum class Outcome : std::uint8_t { ok, refused, unknown, kept };
  struct Message {
    std::uint64_t channel = 0;
    std::uint64_t sent = 0;
    Outcome outcome = Outcome::ok;
    std::map<std::uint64_t, std::uint64_t> places;  ///< by epoch: its offset, as far as known
  };
  struct Follower {
    std::uint64_t epoch = 0, next = 0, told = 0;
    std::uint64_t heard_at = 0, back_at = 0, silence = 0;
    bool told_end = false;
    std::vector<std::uint64_t> missing;
    std::vector<std::uint64_t> left;  ///< epochs that it followed before
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  bool publish(const std::vector<std::uint64_t>& n, std::string_view outcome);
  void begin(const std::vector<std::uint64_t>& n, bool told);
  void deliver(const std::vector<std::uint64_t>& n);
  bool belongs(Message& message, const std::vector<std::uint64_t>& n, std::uint64_t epoch);
  void finish(const Key& key, Follower& follower);
  void fault(std::uint64_t& counter, const char* what, std::uint64_t client, std::uint64_t channel,
             std::uint64_t offset);

  void listen(Follower& follower, const Message& message, std::uint64_t time) const;
  void sum_up();

  Rules rules_;
  std::ostream& says_;
  std::uint64_t first_sent_ = ~std::uint64_t{0}, last_done_ = 0;
  ContinuityVerdict verdict_;
  std::unordered_map<std::uint64_t, Message> messages_;  ///< publisher << 32 | number
  std::map<Key, std::map<std::uint64_t, std::uint64_t>>
      at_;                             ///< {channel, epoch}: offset -> message
  std::map<Key, Follower> followers_;  ///< {client, channel}
  std::uint64_t said_ = 0;
};

}  // namespace peal::swarm
