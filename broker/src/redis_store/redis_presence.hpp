#pragma once
// What one core knows and says of who is there, in Redis (presence.lua; docs/decisions/0014). What
// is told of a channel, a question's mark among it, comes on Redis's channel of that name, so
// events and answers have one order. In each partition the core is a holder by a name of its own:
//   beat -> (as much there as there should be) -> beat …
//        -> (a call failed, Redis lost something) -> the old holder ends, all enter again as
//        another
// Whose lease is over is emptied by whoever notices. On the core's thread, a part of its store.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "peal/broker/log_store.hpp"
#include "redis_store/presence_script.hpp"
#include "redis_store/redis_thread.hpp"

namespace peal::broker {

class RedisPresence final : public PresenceStore {
 public:
  struct Seat {
    PresenceStoreSink& sink;
    const Limits& limits;
    std::function<std::uint64_t()> random{};
    std::function<bool(std::string_view)> follows{};  ///< whether what is told of a channel comes
    bool sweeps = false;  ///< looks after partitions that nobody here has anything in
  };
  /// What is to be asked is added to `asked`.
  RedisPresence(Seat seat, redis_store::RedisThread& thread,
                std::vector<redis_store::Asked>& asked);

  void enter(std::string_view channel, const bus::Member& member, bool anew, bool mark) override;
  void leave(std::string_view channel, std::string_view session) override;
  void ask(PeerId peer, const bus::PresenceRequest& request, std::size_t bytes) override;
  void occupancy(Occupancy what, std::string_view channel) override;

  void heard(std::string_view channel, std::string_view message);
  void subscribed(std::string_view channel);
  /// Nothing more comes of the channel, for now or for good.
  void broken(std::string_view channel);
  /// Whether it was the answer to a call from here.
  bool answered(redis_store::Came& came);
  void drop_peer(PeerId peer);
  void beat(TimePoint now);
  bool wants_beats() const { return sweeps_ || held_ > 0; }
  /// All that is this core's ends. False: nothing had to be said.
  bool stop();
  bool busy() const { return !calls_.empty(); }

 private:
  static constexpr std::uint64_t kTicketBit = std::uint64_t{1} << 63U;
  static constexpr PeerId kNobody = ~PeerId{0};

  struct Call {
    enum class What : std::uint8_t {
      keep,  ///< a member enters or leaves
      page,
      occupancy,  ///< the first watch, or the end of the last one
      look,       ///< whether what was told of a channel's occupancy is so
      beat,
      sweep,    ///< a beat of nobody
      left,     ///< what a dead holder still has
      emptied,  ///< a piece of that is ended
    } what;
    std::size_t partition = 0;
    std::uint32_t life = 0;  ///< of the partition's holder
    std::string channel{};
    std::string session{};  ///< whose entering is marked
    std::string dead{};     ///< the holder that is emptied
    PeerId peer = 0;
    bus::RequestId id = 0;
    std::uint64_t expected = 0;
    Occupancy told = Occupancy::reset;
    bool waits_for_mark = false;
    bool marked = false;  ///< what comes after it is blocked
    std::optional<redis::Answer> answer{};
    int beats = 0;
  };
  /// Partitions in which the core has something, or had.
  struct Partition {
    std::string holder{};
    std::uint32_t life = 0;
    std::uint64_t held = 0;
    bool doubtful = false;  ///< all of it enters again
    bool quiet = false;     ///< others may have to enter again: what is told isn't all
    bool beating = false;   ///< asked, not answered
    TimePoint next_try{};
  };
  struct Told {
    Occupancy what;
    TimePoint since;
  };
  using Calls = std::unordered_map<std::uint64_t, Call>;

  Partition& partition_of(std::string_view channel, std::size_t& number);
  Partition& at(std::size_t number);
  std::vector<std::string> frame(std::size_t partition, std::string_view holder,
                                 std::string_view channel, std::string_view operation,
                                 std::string mark = {}) const;
  std::string next_mark() const;
  void send(Call call, std::vector<std::string> args);
  void send_member(std::string_view channel, const bus::Member& member, bool mark, bool again);
  void send_watch(std::string_view channel);
  void hold(Partition& partition, std::uint64_t more);

  void hear(std::string_view channel, std::string_view message);
  bool hear_mark(std::uint64_t ticket);
  void unblock(const std::string& channel);
  void tell_page(const Call& call, const redis::Answer& answer);
  void doubt(const Call& call);
  void on_page(Calls::iterator at, redis::Answer& answer);
  void on_kept(Calls::iterator at, redis::Answer& answer);
  void on_told(const Call& call, const redis::Answer& answer);
  void on_pulse(const Call& call, const redis::Answer& answer);
  void on_left(const Call& call, const redis::Answer& answer);
  void empty(const std::string& dead, std::size_t partition);
  void tell_occupancy(Occupancy what, const std::string& channel);

  void beat_partitions();
  void sweep();
  void enter_again();
  void renew();
  void look_at_told();
  void give_up_marks();
  void tell_changed(std::size_t partition);

  PresenceStoreSink& sink_;
  const Limits& limits_;
  const std::function<std::uint64_t()> random_;
  const std::function<bool(std::string_view)> follows_;
  const bool sweeps_;
  redis_store::RedisThread& thread_;
  std::vector<redis_store::Asked>& asked_;
  const std::chrono::milliseconds lease_, keep_;
  const std::string name_;

  std::map<std::size_t, Partition> partitions_;
  std::uint64_t held_ = 0;
  Calls calls_;
  std::uint64_t tickets_ = 0;
  /// Messages behind a mark whose answer has not come, by channel.
  std::unordered_map<std::string, std::deque<std::string>> blocked_;
  std::unordered_set<std::string> emptying_;  ///< holders
  std::map<std::string, Told> told_;          ///< what was told of channels, lately
  std::vector<bus::Member> page_;
  TimePoint latest_{}, next_beat_{};
  std::size_t swept_ = 0;    ///< the next partition
  std::size_t renewed_ = 0;  ///< the next partition
  TimePoint next_renewal_{};
  bool stopped_ = false;
};

}  // namespace peal::broker
