#pragma once
// Which watched logs have fallen silent and whose watchers haven't been told yet where they stand:
// push is a hint, and the last publication before a silence has none after it that would show that
// it was lost. A log is due once, when nothing came for `quiet`. Pure; a publication costs O(1) and
// a log has one entry at most, until it is told. An entry is found by a number that its channel
// keeps.

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "peal/broker/log_store.hpp"

namespace peal::broker {

class TailChecks {
 public:
  static constexpr std::uint32_t kNone = 0;
  explicit TailChecks(std::chrono::milliseconds quiet) : quiet_(quiet) {}

  /// Something was appended. `entry` is the channel's number, kNone at first.
  void appended(std::uint32_t& entry, LogId log, TimePoint now) {
    if (entry != kNone) {
      entries_[entry - 1].last = now;
      return;
    }
    if (free_.empty()) {
      entries_.emplace_back();
      entry = static_cast<std::uint32_t>(entries_.size());
    } else {
      entry = free_.back();
      free_.pop_back();
    }
    entries_[entry - 1] = {log, now, now + quiet_};
    queue_.push_back(entry);
  }

  /// The channel is gone, and its number with it.
  void forget(std::uint32_t& entry) {
    if (entry != kNone) entries_[entry - 1].alive = false;
    entry = kNone;
  }

  /// Calls `told(log)` for those that are due, looking at no more than `most`.
  template <class Told>
  void due(TimePoint now, std::size_t most, Told&& told) {
    for (; most > 0 && !queue_.empty(); --most) {
      const std::uint32_t number = queue_.front();
      Entry& entry = entries_[number - 1];
      if (entry.looked_at > now) return;
      queue_.pop_front();
      if (entry.alive && entry.last + quiet_ > now) {
        entry.looked_at = entry.last + quiet_;
        queue_.push_back(number);
        continue;
      }
      const Entry silent = entry;
      free_.push_back(number);
      if (silent.alive) told(silent.log);
    }
    if (queue_.empty()) {
      entries_ = {};
      free_ = {};
    }
  }

  std::size_t size() const { return queue_.size(); }

 private:
  struct Entry {
    LogId log = 0;
    TimePoint last;
    TimePoint looked_at;  ///< when it is next
    bool alive = true;
  };

  std::chrono::milliseconds quiet_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::deque<std::uint32_t> queue_;  ///< by looked_at, nearly: one that is put back is not far off
};

}  // namespace peal::broker
