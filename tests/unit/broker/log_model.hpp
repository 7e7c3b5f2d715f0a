#pragma once
// What a log has to do, written down as naively as possible: everything ever appended stays in a
// list, and each question walks all of it. It shares no code with Log.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "peal/broker/log_store.hpp"

namespace peal::broker::test {

class LogModel {
 public:
  LogModel(Epoch epoch, const ChannelOptions& options, const Limits& limits)
      : epoch_(epoch), options_(options), limits_(limits) {}

  struct Entry {
    Publication publication;
    TimePoint at;
    std::uint64_t begin = 0;  ///< of its payload in the log's bytes
    bool gone = false;
    std::uint64_t end() const { return begin + publication.payload.size(); }
    std::uint64_t offset() const { return publication.offset.value; }
  };
  struct Outcome {
    enum class Kind { appended, duplicate, refused } kind = Kind::appended;
    std::uint64_t offset = 0;  ///< appended, or of the duplicate where it is known
    ErrorCode code{};
    std::uint64_t current = 0;           ///< expectation_failed
    std::optional<Sequence> remembered;  ///< duplicates by sequence, sequence_gap
  };

  /// `fresh` is the epoch that a replacement begins.
  Outcome append(const bus::PublishRequest& ask, const Epoch& fresh, TimePoint now) {
    expire(now);
    if (ask.place) return place(ask, now);
    const PublicationView& p = ask.publication;
    for (const Known& known : keys_) {
      if (known.key.empty() || known.key != ask.idempotency_key) continue;
      const bool equal =
          known.payload == p.payload && known.of == p.key && known.deletion == is_deletion(p);
      if (!equal) return refused(ErrorCode::idempotency_conflict);
      return {Outcome::Kind::duplicate, known.offset, {}, 0, {}};
    }
    const Mark* mark = mark_of(p.source);
    if (mark != nullptr && p.sequence <= mark->sequence) {
      const std::uint64_t offset = p.sequence == mark->sequence ? mark->offset : 0;
      return {Outcome::Kind::duplicate, offset, {}, 0, mark->sequence};
    }
    if (ask.previous && p.source.empty()) return refused(ErrorCode::command_invalid);
    if (ask.previous && (mark == nullptr || mark->sequence != *ask.previous)) {
      Outcome outcome = refused(ErrorCode::sequence_gap);
      if (mark != nullptr) outcome.remembered = mark->sequence;
      return outcome;
    }
    const std::string key(p.key);
    const std::uint64_t current = key.empty() ? top_ : last_of(key);
    if (!expected(ask, key, current)) return not_expected(current);
    if (!fits(ask, key)) return refused(ErrorCode::log_full);
    if (ask.replace) begin_anew(fresh);
    add(p, now);
    remember_mark(p, now);
    if (!ask.idempotency_key.empty()) {
      keys_.push_back({std::string(ask.idempotency_key), std::string(p.payload), key,
                       is_deletion(p), top_, now});
      if (keys_.size() > limits_.idempotency_keys_max) keys_.erase(keys_.begin());
    }
    return {Outcome::Kind::appended, top_, {}, 0, {}};
  }

  Head head(TimePoint now) {
    expire(now);
    return {epoch_, {top_}, {floor_}};
  }
  std::uint64_t end() const { return end_; }
  const Epoch& epoch() const { return epoch_; }

  /// A page: what of which publications, in its order; none: position_lost.
  struct Piece {
    std::uint64_t offset;
    std::string payload;
  };
  struct Range {
    std::uint64_t after, to;
    std::vector<Piece> pieces;
  };
  std::optional<Range> read(const bus::ReadRequest& request, TimePoint now) {
    expire(now);
    using Mode = bus::ReadRequest::Mode;
    const std::uint64_t from = request.after.value;
    if (request.epoch && *request.epoch != epoch_) return std::nullopt;
    if (request.epoch && request.mode == Mode::forward && (from < floor_ || from > top_)) {
      return std::nullopt;
    }
    if (request.mode == Mode::bytes) return read_bytes(request);
    std::vector<const Entry*> wanted;
    for (const Entry& entry : all_) {
      if (entry.gone) continue;
      const bool inside = request.mode == Mode::reverse ? from == 0 || entry.offset() < from
                                                        : entry.offset() > from;
      if (!inside) continue;
      if (request.mode == Mode::state && entry.offset() != last_of(entry.publication.key)) continue;
      wanted.push_back(&entry);
    }
    Range range{std::min(from, top_), top_, {}};
    if (request.mode == Mode::reverse) {
      std::ranges::reverse(wanted);
      range = {0, from == 0 ? top_ : std::min(top_, from - 1), {}};
    }
    std::size_t size = 0;
    for (const Entry* entry : wanted) {
      size += bytes_of(entry->publication);
      const bool first = range.pieces.empty();
      if (range.pieces.size() == request.limit || (!first && size > request.bytes)) {
        const std::uint64_t last = first ? 0 : range.pieces.back().offset;
        if (request.mode == Mode::reverse) {
          range.after = first ? range.to : last - 1;
        } else {
          range.to = first ? range.after : last;
        }
        return range;
      }
      range.pieces.push_back({entry->offset(), entry->publication.payload});
    }
    return range;
  }

  /// Everything ever appended in this epoch, kept or not.
  const std::vector<Entry>& all() const { return all_; }
  const Entry& at(std::uint64_t offset) const {
    return *std::ranges::find(all_, offset, &Entry::offset);
  }
  std::uint64_t last_of(const std::string& key) const {
    for (std::size_t i = all_.size(); i > 0; --i) {
      if (!all_[i - 1].gone && all_[i - 1].publication.key == key) return all_[i - 1].offset();
    }
    return 0;
  }

 private:
  struct Mark {
    std::string source;
    Sequence sequence;
    std::uint64_t offset;
    TimePoint used;
  };
  struct Known {
    std::string key, payload, of;
    bool deletion;
    std::uint64_t offset;
    TimePoint since;
  };

  static bool is_deletion(const PublicationView& p) { return p.kind == Kind::deletion; }
  static Outcome refused(ErrorCode code) { return {Outcome::Kind::refused, 0, code, 0, {}}; }
  static Outcome not_expected(std::uint64_t current) {
    Outcome outcome = refused(ErrorCode::expectation_failed);
    outcome.current = current;
    return outcome;
  }
  static std::size_t bytes_of(const Publication& p) {
    return p.payload.size() + p.key.size() + p.source.size();
  }

  bool has_value(const std::string& key) const {
    for (std::size_t i = all_.size(); i > 0; --i) {
      const Entry& entry = all_[i - 1];
      if (entry.gone || (!key.empty() && entry.publication.key != key)) continue;
      return entry.publication.kind == Kind::value;
    }
    return false;
  }
  bool expected(const bus::PublishRequest& ask, const std::string& key, std::uint64_t current) {
    using bus::ExpectValue;
    if (ask.expect && *ask.expect != Position{epoch_, {current}}) return false;
    if (ask.expect_value == ExpectValue::absent && has_value(key)) return false;
    if (ask.expect_value == ExpectValue::present && !has_value(key)) return false;
    return !ask.expect_end || *ask.expect_end == end_;
  }
  bool fits(const bus::PublishRequest& ask, const std::string& key) const {
    if (top_ >= kOffsetMax.value) return false;
    if (!options_.refuse_when_full) return true;
    const Publication publication = copy_of(ask.publication);
    std::size_t length = 1, bytes = bytes_of(publication);
    if (!ask.replace) {
      if (publication.kind == Kind::deletion && has_value(key)) return true;
      for (const Entry& entry : all_) {
        const bool makes_room = options_.compact && !key.empty() && entry.publication.key == key;
        if (entry.gone || makes_room) continue;
        ++length;
        bytes += bytes_of(entry.publication);
      }
    }
    return length <= options_.history_length_max && bytes <= options_.history_bytes_max;
  }

  void begin_anew(const Epoch& epoch) {
    epoch_ = epoch;
    all_.clear();
    marks_.clear();
    keys_.clear();
    top_ = floor_ = end_ = 0;
  }
  void add(const PublicationView& p, TimePoint now) {
    Entry entry{copy_of(p), now, end_, false};
    entry.publication.offset = {++top_};
    end_ = entry.end();
    all_.push_back(std::move(entry));
    if (options_.compact && !p.key.empty()) {
      for (std::size_t i = 0; i + 1 < all_.size(); ++i)
        if (all_[i].publication.key == p.key) all_[i].gone = true;
    }
    if (options_.refuse_when_full) return;
    while (count() > options_.history_length_max || bytes() > options_.history_bytes_max)
      remove(*std::ranges::find(all_, false, &Entry::gone));
  }
  Outcome place(const bus::PublishRequest& ask, TimePoint now) {
    const std::uint64_t offset = ask.place->offset.value;
    const bool wrong = ask.previous || ask.replace || !ask.idempotency_key.empty() ||
                       ask.expect_value != bus::ExpectValue::any || offset == 0 ||
                       offset > kOffsetMax.value ||
                       (ask.place_floor && ask.place_floor->value > offset);
    if (wrong) return refused(ErrorCode::command_invalid);
    if (ask.expect && *ask.expect != Position{epoch_, {top_}}) return not_expected(top_);
    if (top_ != 0 && (ask.place->epoch != epoch_ || offset <= top_)) return not_expected(top_);
    if (top_ != 0 && ask.expect_end.value_or(end_) < end_)
      return refused(ErrorCode::command_invalid);
    if (top_ == 0) begin_anew(ask.place->epoch);
    if (ask.place_floor) floor_ = std::max(floor_, ask.place_floor->value);
    if (!ask.place_floor && offset - 1 > top_) floor_ = offset - 1;
    top_ = offset - 1;
    end_ = ask.expect_end.value_or(end_);
    for (Entry& entry : all_)
      if (entry.offset() <= floor_) entry.gone = true;
    if (floor_ == offset) {
      top_ = offset;
      end_ += ask.publication.payload.size();
    } else {
      add(ask.publication, now);
    }
    const Mark* mark = mark_of(ask.publication.source);
    if (mark == nullptr || ask.publication.sequence > mark->sequence)
      remember_mark(ask.publication, now);
    return {Outcome::Kind::appended, offset, {}, 0, {}};
  }

  std::optional<Range> read_bytes(const bus::ReadRequest& request) const {
    std::uint64_t at = request.after.value, left = request.bytes;
    if (at > end_) return std::nullopt;
    Range range{top_, top_, {}};
    const auto holds = [&](const Entry& entry) {
      return !entry.gone && entry.begin <= at && at < entry.end();
    };
    while (at < end_ && left > 0 && range.pieces.size() < request.limit) {
      const auto found = std::ranges::find_if(all_, holds);
      if (found == all_.end()) break;
      const std::string piece = found->publication.payload.substr(at - found->begin, left);
      if (range.pieces.empty()) range.after = found->offset() - 1;
      range.to = found->offset();
      range.pieces.push_back({found->offset(), piece});
      at += piece.size();
      left -= piece.size();
    }
    const bool wanted = request.after.value < end_ && request.bytes > 0 && request.limit > 0;
    if (wanted && range.pieces.empty()) return std::nullopt;
    return range;
  }

  std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count(all_, false, &Entry::gone));
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Entry& entry : all_)
      sum += entry.gone ? 0 : bytes_of(entry.publication);
    return sum;
  }
  void remove(Entry& entry) {
    entry.gone = true;
    const std::string& key = entry.publication.key;
    if (key.empty() || last_of(key) == 0) floor_ = std::max(floor_, entry.offset());
  }
  void expire(TimePoint now) {
    const bool ages = options_.history_age_max.count() > 0 && !options_.refuse_when_full;
    for (Entry& entry : all_) {
      if (ages && !entry.gone && now - entry.at >= options_.history_age_max) remove(entry);
    }
    std::erase_if(marks_, [&](const Mark& mark) { return now - mark.used >= limits_.source_ttl; });
    std::erase_if(keys_,
                  [&](const Known& known) { return now - known.since >= limits_.idempotency_ttl; });
  }
  const Mark* mark_of(std::string_view source) const {
    const auto found = std::ranges::find(marks_, source, &Mark::source);
    return source.empty() || found == marks_.end() ? nullptr : &*found;
  }
  void remember_mark(const PublicationView& p, TimePoint now) {
    if (p.source.empty()) return;
    std::erase_if(marks_, [&](const Mark& mark) { return mark.source == p.source; });
    marks_.push_back({std::string(p.source), p.sequence, top_, now});
    if (marks_.size() > limits_.sources_max) marks_.erase(marks_.begin());
  }

  Epoch epoch_;
  const ChannelOptions options_;
  const Limits limits_;
  std::vector<Entry> all_;
  std::vector<Mark> marks_;  ///< the least recently used first
  std::vector<Known> keys_;  ///< the oldest first
  std::uint64_t top_ = 0, floor_ = 0, end_ = 0;
};

}  // namespace peal::broker::test
