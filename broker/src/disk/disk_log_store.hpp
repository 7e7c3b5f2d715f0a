#pragma once
// One core's logs on disk. The rules are decided by Logs without texts; as many of them are in
// memory as limits.log_bytes_max allows, the others are loaded when they are asked for. A batch at
// a time is committed: what is asked meanwhile of a log that is in it waits behind it, and appends
// wait for the next one, so nothing that is not durable is ever told.
//   append -> queue -> judged into the batch -> turn(): submitted -> under way -> turn(): told, by
//   log and offset, then acknowledged
// A commit that was refused or failed takes the Logs it changed out of memory: what the disk has
// counts. Runs on the core's thread, but for the commits themselves.

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/options_table.hpp"
#include "disk/commit_thread.hpp"
#include "disk/disk_probe.hpp"
#include "disk/log_rows.hpp"
#include "peal/broker/log_store.hpp"
#include "peal/proto/owned_publish.hpp"

namespace peal::broker {

/// What the disk stores of one process share.
struct DiskShared {
  disk::Database& database;
  disk::CommitThread& commits;
  const disk::StoreClock& clock;
  runtime::ProbeRegistry& probes;
};

class DiskLogStore final : public LogStore {
 public:
  DiskLogStore(StoreSeat seat, DiskShared shared);
  ~DiskLogStore() override;

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

 private:
  static constexpr LogId kUnwatched = ~LogId{0};
  static constexpr PeerId kNobody = ~PeerId{0};

  /// A channel that is watched, or whose log is in memory.
  struct Entry {
    std::string name;
    std::unique_ptr<Log> log;  ///< null: not in memory
    disk::LogNumber number = 0;
    std::size_t bytes = 0;     ///< of the log, as counted in bytes_
    disk::StoreTime used{};    ///< as its meta row says
    bool remembers = false;    ///< it may have marks or keys
    bool created = false;      ///< its first commit is still to come
    bool uncommitted = false;  ///< it is in the batch that is gathered or under way
    bool meta_due = false;     ///< its meta row goes with the batch that is gathered
    int pins = 0;              ///< how many lists name it: it stays as it is
    bool told = false;         ///< its watch has been answered
    Head last_told;            ///< with `told`
    LogId watched_as = kUnwatched;
    std::list<Entry>::iterator self{};
  };
  using Entries = std::list<Entry>;

  /// What is to be told when the batch is committed.
  struct Due {
    enum class What : std::uint8_t { append, read, watch } what;
    Entry* entry;
    PeerId peer = kNobody;
    bus::Published outcome{};
    std::string texts{};          ///< append: of what was appended; empty: nothing was
    std::optional<Head> reset{};  ///< append: an epoch began, and this was its head
    bus::ReadRequest request{};   ///< read; its channel is the entry's
  };
  /// What has to wait for the batch under way before it can be judged.
  struct Asked {
    enum class What : std::uint8_t { append, read, watch } what;
    std::string channel{};  ///< of a watch or read
    PeerId peer = kNobody;
    LogId log = kUnwatched;
    std::optional<bus::OwnedPublish> publish{};
    bus::ReadRequest request{};
    std::size_t bytes = 0;
  };
  enum class Found : std::uint8_t { here, later };

  // In and out of memory (disk_log_cache.cpp).
  Entry& entry_of(std::string_view channel);
  Result<Found> find(Entry& entry, TimePoint now);
  Result<Found> load(Entry& entry, TimePoint now);
  void used(Entry& entry, TimePoint now);
  void create(Entry& entry, TimePoint now);
  void drop_log(Entry& entry);
  void forget_if_idle(Entry& entry);
  void recount(Entry& entry);
  void make_room();
  void sweep(TimePoint now);
  void look_at(const std::string& channel, TimePoint now);
  void look_at_unloaded(const std::string& channel, TimePoint now);
  void forget(const std::string& channel, const disk::Meta& meta);
  bool aged(const std::string& channel, const disk::Meta& meta, disk::StoreTime at) const;
  void expire(Entry& entry, TimePoint now);

  // Asked and judged.
  void judge(const Asked& asked, TimePoint now);
  void judge_watch(LogId log, TimePoint now);
  void judge_append(PeerId peer, const bus::PublishRequest& request, TimePoint now);
  void judge_read(PeerId peer, const bus::ReadRequest& request, TimePoint now);
  void enqueue(Asked asked);
  void refuse(PeerId peer, bus::RequestId id, Error why);
  void answer(PeerId peer, const bus::Published& outcome);
  Error unavailable() const;
  void changed(Entry& entry);
  void submit();

  // Told.
  void finish(disk::Committed result, TimePoint now);
  void tell(const std::vector<Due>& dues, TimePoint now);
  void tell_append(const Due& due);
  void tell_head(Entry& entry, TimePoint now);
  void tell_page(PeerId peer, Entry& entry, const bus::ReadRequest& request, TimePoint now);
  void tell_failure(std::vector<Due>& dues, disk::Committed result);
  void tell_what_is_there(TimePoint now);
  Result<void> fill(const Entry& entry, std::span<const Log::Piece> pieces);
  Error unreadable(const Error& error);

  LogStoreSink& sink_;
  const OptionsOf options_of_;
  const Limits limits_;
  EpochSource epochs_;
  const std::function<bool(std::string_view)> home_;
  const DiskShared shared_;
  const std::shared_ptr<disk::CommitSlot> slot_;
  disk::RowJournal journal_;
  disk::StoreProbe probe_;
  const std::shared_ptr<void> probe_handle_;

  OptionsTable options_;
  Entries loaded_;    ///< their logs are in memory, the least recently used first
  Entries unloaded_;  ///< watched, without
  std::unordered_map<std::string_view, Entry*> by_name_;
  std::unordered_map<LogId, Entry*> by_id_;
  std::size_t bytes_ = 0;
  std::size_t logs_ = 0;  ///< on the disk
  std::size_t epochs_ended_ = 0;

  std::deque<Asked> queue_;
  std::size_t queue_bytes_ = 0;
  std::vector<Due> dues_;        ///< of the batch being gathered …
  std::vector<Entry*> changed_;  ///< … and whose meta rows go with it
  std::size_t forgotten_ = 0;    ///< logs whose rows it erases
  bool under_way_ = false;
  std::size_t forgotten_under_way_ = 0;
  std::vector<Due> dues_under_way_;
  std::vector<Entry*> changed_under_way_;
  std::vector<Entry*> uncertain_;  ///< watched; what became of their last batch is unknown
  std::uint64_t times_opened_ = 0;

  std::vector<Log::Piece> pieces_;
  std::vector<Publication> texts_;
  std::vector<PublicationView> page_;
  std::string swept_;  ///< the meta row that the last sweep came to
  TimePoint latest_{};
  bool stopped_ = false;
};

}  // namespace peal::broker
