#pragma once
// The last sequence of each producer of one channel. Marks survive trimming, live `ttl` after the
// producer's last publication and number at most `most`: then the one used least recently gives
// way.

#include <chrono>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "peal/broker/log_store.hpp"
#include "peal/proto/publication.hpp"

namespace peal::broker {

class LogJournal;

class SourceMarks {
 public:
  struct Mark {
    Sequence sequence;
    Offset offset;
  };

  std::optional<Mark> find(std::string_view source) const;
  /// `journal` may be null. Set in the order of use, and by nobody else.
  void set(std::string_view source, const Mark& mark, std::size_t most, TimePoint now,
           LogJournal* journal);
  void expire(std::chrono::seconds ttl, TimePoint now, LogJournal* journal);
  std::size_t size() const { return marks_.size(); }
  bool empty() const { return marks_.empty(); }
  /// What it takes from memory, roughly.
  std::size_t bytes() const { return sizeof *this + bytes_; }

 private:
  struct Entry {
    std::string source;
    Mark mark;
    TimePoint used;
  };
  using Entries = std::list<Entry>;  ///< the least recently used first

  void forget_first(LogJournal* journal);

  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> marks_;
  std::size_t bytes_ = 0;
};

}  // namespace peal::broker
