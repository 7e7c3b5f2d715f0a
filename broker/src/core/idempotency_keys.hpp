#pragma once
// What became of the publishes that carried an Idempotency-Key: opaque keys of one channel, each
// with a hash of its body and the position it got. At most `most`, the oldest gives way; each lives
// `ttl`.

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "peal/broker/log_store.hpp"

namespace peal::broker {

class LogJournal;

class IdempotencyKeys {
 public:
  struct Known {
    std::uint64_t body_hash = 0;
    Offset offset;
  };

  /// The hash under which a publication's content is remembered.
  static std::uint64_t hash(const PublicationView& publication);

  std::optional<Known> find(std::string_view key) const;
  /// `journal` may be null.
  void remember(std::string_view key, const Known& known, std::size_t most, TimePoint now,
                LogJournal* journal);
  void expire(std::chrono::seconds ttl, TimePoint now, LogJournal* journal);
  std::size_t size() const { return keys_.size(); }
  bool empty() const { return keys_.empty(); }
  /// What it takes from memory, roughly.
  std::size_t bytes() const { return sizeof *this + 640 + bytes_; }

 private:
  struct Entry {
    std::string key;
    Known known;
    TimePoint since;
  };

  void forget_first(LogJournal* journal);

  std::deque<Entry> entries_;  ///< in the order of remembering; addresses are stable
  std::unordered_map<std::string_view, const Entry*> keys_;
  std::size_t bytes_ = 0;
};

}  // namespace peal::broker
