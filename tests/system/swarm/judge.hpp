#pragma once
// Judges journals (journal.hpp): every publish with its outcome against every client's deliveries.
//   lost        due, not delivered, and nothing later was either
//   skipped     due, not delivered, but something later was: a silent gap
//   duplicated  delivered on one connection more than once. On a new one, at a gateway that lags
//               behind the old one, an ephemeral message may come again: counted apart, as again
//   reordered   against the order the channel's best listener heard, or the publisher's own
//   phantom     never published, refused, of another channel, too early, or not subscribed
// Due to a subscription is what was sent after the subscribe result and answered `settle` before
// the unsubscribe was sent; what lies between two delivered ones is due anyway. Around a broker's
// outage what is missing is counted apart, as excused: answered less than 1 s before the kill, or
// sent before service had to be back.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace peal::swarm {

struct Rules {
  std::uint64_t settle_ns = 1'000'000'000;
  std::uint64_t killed_ns = 0;             ///< when the broker was surely dead; 0: no outage
  std::uint64_t restarted_ns = 0;          ///< just before it was started again
  std::uint64_t back_ns = 5'000'000'000;   ///< how long it may take to serve again
  std::uint64_t grace_ns = 1'500'000'000;  ///< results that were on their way when it died
};

struct Verdict {
  std::uint64_t publishes = 0, ok = 0, fired = 0, refused = 0, unknown = 0;
  std::uint64_t deliveries = 0, due = 0, subscriptions = 0, resets = 0, connections_lost = 0;
  std::uint64_t lost = 0, skipped = 0, duplicated = 0, reordered = 0, phantom = 0;
  std::uint64_t excused = 0, again = 0;
  std::uint64_t false_results = 0;  ///< results while no broker was alive
  double seconds = 0;               ///< from the first send to the last answer
  double back_after_ms = 0;  ///< from the restart to the first result of something sent after it
  double slowest_refusal_ms = 0;  ///< of what was sent while no broker was alive
  std::uint64_t faults() const {
    return lost + skipped + duplicated + reordered + phantom + false_results;
  }
  std::string json() const;
};

class Judge {
 public:
  Judge(Rules rules, std::ostream& says) : rules_(rules), says_(says) {}
  /// Takes a whole journal; false when it is broken. Producers' first, then the swarm's.
  bool read(std::string_view journal);
  Verdict verdict();

 private:
  struct Message {
    std::uint32_t publisher = 0, number = 0;
    std::uint64_t channel = 0, sent = 0, done = 0;
    enum class Outcome : std::uint8_t { ok, fired, refused, unknown } outcome = Outcome::ok;
    std::int64_t position = -1;  ///< in its channel's order; -1: the best listener did not hear it
    std::uint32_t looked_at = 0;
  };
  struct Subscription {
    std::uint64_t client = 0, channel = 0;
    std::uint64_t from = 0;
    std::uint64_t until = ~std::uint64_t{0};  ///< unsubscribe sent, or the connection gone
    bool open = true;
    std::vector<std::uint32_t> heard;  ///< messages, in order
  };

  bool take(char what, const std::vector<std::uint64_t>& numbers, std::string_view outcome);
  bool publish(const std::vector<std::uint64_t>& n, std::string_view outcome);
  void subscribe(std::uint64_t client, std::uint64_t channel, std::uint64_t time);
  void leave(std::uint64_t client, std::uint64_t channel, std::uint64_t time, bool ended);
  void deliver(const std::vector<std::uint64_t>& n);
  Subscription* current(std::uint64_t client, std::uint64_t channel);
  void order_channels();
  void check_order(const Subscription& subscription);
  void check_complete(const Subscription& subscription);
  void check_outage();
  bool excused(const Message& message) const;
  std::uint16_t& heard_by(std::uint64_t client, std::uint32_t message);
  void fault(std::uint64_t& counter, const char* what, std::uint64_t client,
             const Message& message);

  Rules rules_;
  std::ostream& says_;
  Verdict verdict_;
  std::vector<Message> messages_;
  std::map<std::uint64_t, std::uint32_t> index_;  ///< publisher << 32 | number
  std::vector<Subscription> subscriptions_;
  std::map<std::uint64_t, std::uint32_t> open_;  ///< client << 32 | channel -> latest subscription
  std::map<std::uint64_t, std::vector<std::uint32_t>> order_;    ///< by channel
  std::map<std::uint64_t, std::vector<std::uint32_t>> by_sent_;  ///< by channel
  /// By client and message: on which of its connections it heard it, counted from 1; 0: not yet.
  std::map<std::uint64_t, std::vector<std::uint16_t>> heard_;
  std::map<std::uint64_t, std::uint16_t> connections_;  ///< by client: those that ended
  std::uint64_t said_ = 0;
  std::uint32_t look_ = 0;
};

}  // namespace peal::swarm
