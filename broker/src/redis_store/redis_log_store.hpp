#pragma once
// One core's logs in Redis. Nothing of a log is here but where the watched ones stand: the script
// decides, Redis's channel tells.
//   append -> queue -> turn(): one call a log -> answered -> acknowledged, when what it appended
//     has come on the channel and was told, or nobody here watches the log;
//   watch -> subscribed -> asked where it stands -> answered; LogFollower says what follows.
// Of each log one append call is under way at most; reads wait for the appends before them. What is
// published without a log passes through Redis as well. Runs on the core's thread.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/options_table.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/proto/owned_publish.hpp"
#include "redis_store/log_follower.hpp"
#include "redis_store/redis_presence.hpp"
#include "redis_store/redis_thread.hpp"
#include "redis_store/store_probe.hpp"

namespace peal::broker {

class RedisLogStore final : public LogStore {
 public:
  RedisLogStore(StoreSeat seat, redis_store::RedisThread& thread, runtime::ProbeRegistry& probes,
                RedisStorage::Ahead ahead);
  ~RedisLogStore() override;

  void watch(LogId log, std::string_view channel, TimePoint now) override;
  void unwatch(LogId log, TimePoint now) override;
  void append(PeerId peer, const bus::PublishRequest& request, TimePoint now) override;
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now) override;
  void tick(TimePoint now) override;
  void turn(TimePoint now) override;
  void drop_peer(PeerId peer) override;
  void stop() override;
  void each(const std::function<void(std::string_view, const Head&)>& visit) const override;
  LogStoreStats stats() const override;
  bool carries_ephemeral() const override { return true; }
  PresenceStore* presence() override { return presence_.get(); }

 private:
  static constexpr LogId kUnwatched = ~LogId{0};
  static constexpr PeerId kNobody = ~PeerId{0};

  /// What was asked of a log and waits for its call.
  struct Waiting {
    PeerId peer = kNobody;
    std::optional<bus::OwnedPublish> publish{};  ///< none: it is a read
    bus::ReadRequest read{};
    std::size_t bytes = 0;
  };
  /// What Redis answered, and may have to wait for what its channel brings.
  struct Due {
    PeerId peer = kNobody;
    bus::Published outcome{};
    std::unique_ptr<redis::Reply> page{};  ///< a read's, instead of an outcome
    bus::RequestId page_id = 0;
    std::optional<Position> shows{};  ///< told only after this was
    std::uint32_t stamp = 0;          ///< head questions asked before it came
    int beats = 0;
  };
  struct Entry {
    std::string name;
    const ChannelOptions* options = nullptr;
    LogId watched_as = kUnwatched;
    redis_store::LogFollower follower{};
    std::uint64_t subscription = 0;          ///< the latest's ticket
    std::vector<std::uint32_t> heads_due{};  ///< answers owed to watch(), by head questions then
    int beats = 0;                           ///< that they have waited
    bool asked_later = false;                ///< its question failed: again at the next beat
    std::list<Waiting> queue{};
    std::list<Due> dues{};
    bool appending = false;
    int calls = 0;  ///< without an answer
    bool dirty = false;
    std::optional<Head> seen{};  ///< of an unwatched log: where it stood
    TimePoint used{};
    TimePoint touched{};
    std::list<Entry>::iterator self{};
  };
  using Entries = std::list<Entry>;
  /// A call of the script, or an ephemeral publish.
  struct Call {
    enum class What : std::uint8_t { append, read, question, ephemeral } what;
    Entry* entry = nullptr;
    struct Asker {
      PeerId peer;
      bus::RequestId id;
    };
    std::vector<Asker> askers{};
    redis_store::LogFollower::Question question{};
  };
  class Out;

  // Asked.
  Entry& entry_of(std::string_view channel, TimePoint now);
  void forget_if_idle(Entry& entry);
  void pump(Entry& entry);
  void send_appends(Entry& entry);
  void send_read(Entry& entry);
  void send_question(Entry& entry);
  void publish_ephemeral(Entry& entry, PeerId peer, const bus::PublishRequest& request);
  std::vector<std::string> frame(const Entry& entry, std::string_view operation);
  void send(Call call, std::vector<std::string> args, redis_store::Asked::What what);
  void mark(Entry& entry);
  void refuse(PeerId peer, bus::RequestId id, Error why);
  void touch_watched();

  // Told.
  void hear(redis_store::Came& came);
  void on_answer(redis_store::Came& came);
  void on_appends(Call& call, redis::Answer& answer);
  void on_read(Call& call, redis::Answer& answer);
  void on_question(Call& call, redis::Answer& answer);
  void on_message(Entry& entry, std::string_view message);
  void on_beat();
  void settle(Entry& entry);
  void wish_beats();
  bool ready(const Entry& entry, const Due& due) const;
  void tell(Entry& entry, Due& due);
  void tell_heads(Entry& entry);
  void refuse_heads(Entry& entry, const std::string& why);

  LogStoreSink& sink_;
  const OptionsOf options_of_;
  const Limits limits_;
  EpochSource epochs_;
  redis_store::RedisThread& thread_;
  const RedisStorage::Ahead ahead_;
  const std::shared_ptr<redis_store::SeatLink> link_;
  redis_store::StoreProbe probe_;
  const std::shared_ptr<void> probe_handle_;

  OptionsTable options_;
  Entries entries_;  ///< the least recently used first
  std::unordered_map<std::string_view, Entry*> by_name_;
  std::unordered_map<LogId, Entry*> by_id_;
  std::unordered_map<std::uint64_t, Call> calls_;
  std::uint64_t tickets_ = 0;
  std::vector<Entry*> dirty_;
  std::size_t queue_bytes_ = 0;
  std::size_t epochs_ended_ = 0;

  std::vector<redis_store::Asked> asked_;
  std::vector<redis_store::Came> came_;  ///< what is told borrows from it until the next turn
  std::vector<PublicationView> page_;
  std::unique_ptr<RedisPresence> presence_;
  TimePoint latest_{};
  bool waits_ = false;  ///< something may be told after a beat
  bool beats_ = false;
  bool stopped_ = false;
};

}  // namespace peal::broker
