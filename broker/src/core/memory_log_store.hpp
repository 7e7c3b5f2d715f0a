#pragma once
// Logs in this process's memory; every call is answered within the call. They are gone with the
// process, so a broker that starts again has new epochs. Memory is bounded by limits.log_bytes_max
// (texts, marks, keys, names and indexes, as the allocator gives them) and limits.channels_max:
// above, whole logs are given up: first those that nothing was ever appended to, so that asking
// for names drives out no value; then the least recently watched, and watched ones last, of which
// whoever watches is told a new epoch.

#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/log.hpp"
#include "core/options_table.hpp"
#include "peal/broker/log_store.hpp"

namespace peal::broker {

class MemoryLogStore final : public LogStore {
 public:
  MemoryLogStore(LogStoreSink& sink, OptionsOf options_of, const Limits& limits,
                 EpochSource epochs);

  void watch(LogId log, std::string_view channel, TimePoint now) override;
  void unwatch(LogId log, TimePoint now) override;
  void append(PeerId peer, const bus::PublishRequest& request, TimePoint now) override;
  void read(PeerId peer, const bus::ReadRequest& request, TimePoint now) override;
  void tick(TimePoint now) override;
  void outrun(std::string_view channel, const Epoch& seen, TimePoint now) override;
  void end_epochs(const WhichChannels& which, TimePoint now) override;
  void each(const std::function<void(std::string_view, const Head&)>& visit) const override;
  LogStoreStats stats() const override;

 private:
  static constexpr LogId kUnwatched = ~LogId{0};
  struct Entry {
    std::string name;
    Log log;
    std::size_t bytes = 0;  ///< of all this, as counted in bytes_
    TimePoint used;
    LogId watched_as = kUnwatched;
    std::list<Entry>* home = nullptr;  ///< the list that it is in
  };
  using Entries = std::list<Entry>;
  static const std::size_t kEntryBytes;

  Entries::iterator at(std::string_view channel, TimePoint now);
  Log make_log(std::string_view channel, const Epoch& epoch);
  void recount(Entry& entry);
  void make_room(Entries::iterator keep, TimePoint now);
  void give_up(Entries::iterator entry, TimePoint now);
  void begin_anew(Entries::iterator entry, const Epoch& epoch, TimePoint now);
  void touch(Entries::iterator entry, TimePoint now);
  /// Puts it at the end of the list where it belongs.
  void settle(Entries::iterator entry);

  LogStoreSink& sink_;
  const OptionsOf options_of_;
  const Limits limits_;
  EpochSource epochs_;

  OptionsTable options_;
  Entries blank_;      ///< unwatched, and nothing was appended; the least recently used first
  Entries unwatched_;  ///< the others; the least recently used first
  Entries watched_;    ///< the least recently watched first
  std::unordered_map<std::string_view, Entries::iterator> by_name_;
  std::unordered_map<LogId, Entries::iterator> by_id_;
  std::size_t bytes_ = 0;
  std::size_t epochs_ended_ = 0;
  std::vector<PublicationView> page_;
  std::size_t swept_ = 0;  ///< how far into by_name_'s buckets the last tick came
};

}  // namespace peal::broker
