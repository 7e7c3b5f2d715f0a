#pragma once
// What a log has to do, written down as naively as possible: everything ever appended stays in a
// list, and each question walks all of it. It shares no code with Log.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "peal/broker/core.hpp"

namespace peal::broker::test {

class LogModel {
 public:
  LogModel(Epoch epoch, const ChannelOptions& options, const Limits& limits)
      : epoch_(epoch), options_(options), limits_(limits) {}

  struct Entry {
    Publication publication;
    TimePoint at;
    std::string idempotency_key;
    bool gone = false;
  };
  struct Outcome {
    enum class Kind { appended, duplicate, refused } kind = Kind::appended;
    std::uint64_t offset = 0;  ///< appended, or of the duplicate where it is known
    ErrorCode code{};
    std::uint64_t current = 0;           ///< expectation_failed
    std::optional<Sequence> remembered;  ///< duplicates by sequence, sequence_gap
  };

  Outcome append(const Publication& publication, const std::optional<Position>& expect,
                 const std::optional<Sequence>& previous, const std::string& key, TimePoint now) {
    expire(now);
    if (const Entry* same = by_idempotency_key(key, now)) {
      const bool equal = same->publication.payload == publication.payload &&
                         same->publication.key == publication.key &&
                         same->publication.kind == publication.kind;
      if (!equal) return refused(ErrorCode::idempotency_conflict);
      return {Outcome::Kind::duplicate, same->publication.offset.value, {}, 0, {}};
    }
    const Entry* mark = mark_of(publication.source, now);
    if (mark != nullptr && publication.sequence <= mark->publication.sequence) {
      const bool last = publication.sequence == mark->publication.sequence;
      return {Outcome::Kind::duplicate,
              last ? mark->publication.offset.value : 0,
              {},
              0,
              mark->publication.sequence};
    }
    if (previous && publication.source.empty()) return refused(ErrorCode::command_invalid);
    if (previous && (mark == nullptr || mark->publication.sequence != *previous)) {
      Outcome outcome = refused(ErrorCode::sequence_gap);
      if (mark != nullptr) outcome.remembered = mark->publication.sequence;
      return outcome;
    }
    const std::uint64_t current = publication.key.empty() ? all_.size() : last_of(publication.key);
    if (expect && (expect->epoch != epoch_ || expect->offset.value != current)) {
      Outcome outcome = refused(ErrorCode::expectation_failed);
      outcome.current = current;
      return outcome;
    }
    all_.push_back({publication, now, key});
    all_.back().publication.offset = {all_.size()};
    while (count() > options_.history_length_max || bytes() > options_.history_bytes_max) {
      remove(oldest());
    }
    return {Outcome::Kind::appended, all_.size(), {}, 0, {}};
  }

  Head head(TimePoint now) {
    expire(now);
    return {epoch_, {all_.size()}, {floor_}};
  }

  /// Offsets of a page, in its order; none: position_lost.
  struct Range {
    std::uint64_t after, to;
    std::vector<std::uint64_t> offsets;
  };
  std::optional<Range> read(const bus::ReadRequest& request, TimePoint now) {
    expire(now);
    using Mode = bus::ReadRequest::Mode;
    const std::uint64_t top = all_.size();
    const std::uint64_t from = request.after.value;
    if (request.epoch && *request.epoch != epoch_) return std::nullopt;
    if (request.epoch && request.mode == Mode::forward && (from < floor_ || from > top)) {
      return std::nullopt;
    }
    std::vector<std::uint64_t> wanted;
    for (const Entry& entry : all_) {
      const std::uint64_t offset = entry.publication.offset.value;
      if (entry.gone) continue;
      const bool inside =
          request.mode == Mode::reverse ? from == 0 || offset < from : offset > from;
      if (!inside) continue;
      if (request.mode == Mode::state && offset != last_of(entry.publication.key)) continue;
      wanted.push_back(offset);
    }
    Range range{std::min(from, top), top, {}};
    if (request.mode == Mode::reverse) {
      std::ranges::reverse(wanted);
      range = {0, from == 0 ? top : std::min(top, from - 1), {}};
    }
    std::size_t size = 0;
    for (const std::uint64_t offset : wanted) {
      size += bytes_of(all_[offset - 1]);
      const bool first = range.offsets.empty();
      if (range.offsets.size() == request.limit || (!first && size > request.bytes)) {
        const std::uint64_t last = first ? 0 : range.offsets.back();
        if (request.mode == Mode::reverse) {
          range.after = first ? range.to : last - 1;
        } else {
          range.to = first ? range.after : last;
        }
        return range;
      }
      range.offsets.push_back(offset);
    }
    return range;
  }

  const Publication& at(std::uint64_t offset) const { return all_[offset - 1].publication; }

 private:
  static Outcome refused(ErrorCode code) { return {Outcome::Kind::refused, 0, code, 0, {}}; }
  static std::size_t bytes_of(const Entry& entry) {
    const Publication& p = entry.publication;
    return p.payload.size() + p.key.size() + p.source.size();
  }
  std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count(all_, false, &Entry::gone));
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Entry& entry : all_)
      sum += entry.gone ? 0 : bytes_of(entry);
    return sum;
  }
  Entry& oldest() { return *std::ranges::find(all_, false, &Entry::gone); }
  std::uint64_t last_of(const std::string& key) const {
    for (std::size_t i = all_.size(); i > 0; --i) {
      if (!all_[i - 1].gone && all_[i - 1].publication.key == key) return i;
    }
    return 0;
  }
  void remove(Entry& entry) {
    entry.gone = true;
    const std::string& key = entry.publication.key;
    if (key.empty() || last_of(key) == 0) {
      floor_ = std::max(floor_, entry.publication.offset.value);
    }
  }
  void expire(TimePoint now) {
    for (Entry& entry : all_) {
      if (!entry.gone && now - entry.at >= options_.history_age_max) remove(entry);
    }
  }
  /// Of all who ever published here, the most recent `sources_max` sources within `source_ttl`.
  const Entry* mark_of(const std::string& source, TimePoint now) const {
    if (source.empty()) return nullptr;
    std::vector<std::string> seen;
    for (std::size_t i = all_.size(); i > 0; --i) {
      const Entry& entry = all_[i - 1];
      const std::string& name = entry.publication.source;
      if (name.empty() || std::ranges::find(seen, name) != seen.end()) continue;
      if (seen.size() == limits_.sources_max || now - entry.at >= limits_.source_ttl) break;
      if (name == source) return &entry;
      seen.push_back(name);
    }
    return nullptr;
  }
  const Entry* by_idempotency_key(const std::string& key, TimePoint now) const {
    if (key.empty()) return nullptr;
    std::size_t keys = 0;
    for (std::size_t i = all_.size(); i > 0 && keys < limits_.idempotency_keys_max; --i) {
      const Entry& entry = all_[i - 1];
      if (entry.idempotency_key.empty()) continue;
      ++keys;
      if (now - entry.at >= limits_.idempotency_ttl) return nullptr;
      if (entry.idempotency_key == key) return &entry;
    }
    return nullptr;
  }

  const Epoch epoch_;
  const ChannelOptions options_;
  const Limits limits_;
  std::vector<Entry> all_;
  std::uint64_t floor_ = 0;
};

}  // namespace peal::broker::test
