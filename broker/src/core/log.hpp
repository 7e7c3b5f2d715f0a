#pragma once
// The rules of one recoverable channel: what a publish becomes, what is kept, what a read covers.
// Pure: time (steady) comes with each call, epochs are given. Each store follows it (Redis by a
// function of its own, judged by the same model).
//   - Offsets count from 1; `top` is the last given, `floor` the highest removed with no later
//     publication of its key remaining (one without a key has none).
//   - A publish is judged in this order: Idempotency-Key, source and sequence, previous, the
//     expectations, room. What had been appended before is told so even if its expectation doesn't
//     hold any more.
//   - Kept are the publications that ChannelOptions says; the oldest go first. Marks and keys stay
//     when publications go, and end with the epoch.
// Made bare, it keeps of each publication what it must know to decide, and the store the texts:
// then reads are planned here and filled there. A journal hears all that a store must save.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/log_journal.hpp"
#include "core/record.hpp"
#include "peal/broker/channel_options.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"

namespace peal::broker {

class Log {
 public:
  /// What a log is beside its records, marks and keys.
  struct Meta {
    Head head;
    std::uint64_t end_byte = 0;  ///< payload bytes appended in this epoch
    friend bool operator==(const Meta&, const Meta&) = default;
  };
  enum class Keeps : std::uint8_t { texts, bare };
  /// Where the payload of a page's publication lies: all of it but in mode bytes.
  struct Piece {
    Offset offset;
    std::size_t begin = 0, size = 0;
  };

  /// `options` and `limits` must outlive it.
  Log(Epoch epoch, const ChannelOptions& options, const Limits& limits);
  Log(Epoch, ChannelOptions&&, const Limits&) = delete;

  /// One that was saved, always bare; then restore all that the journal heard and is not gone: by
  /// offset, and marks and keys in the order of their time.
  Log(const Meta& saved, const ChannelOptions& options, const Limits& limits);
  void restore(const RecordInfo& record);
  void restore_mark(std::string_view source, const SourceMarks::Mark& mark, TimePoint used);
  void restore_key(std::string_view key, const IdempotencyKeys::Known& known, TimePoint since);
  /// Before anything was appended: a new one that is bare.
  void keep(Keeps keeps) { bare_ = keeps == Keeps::bare; }
  /// Hears every change, whichever call makes it; null: nobody.
  void tell(LogJournal* journal) { journal_ = journal; }

  /// The outcome; `ok` without `duplicate` means: appended at `position`. Views are copied. `fresh`
  /// is the epoch that a `replace` begins. When the epoch is another after the call, watchers are
  /// told of a reset to `before_last` first.
  bus::Published append(const bus::PublishRequest& request, TimePoint now,
                        const std::optional<Epoch>& fresh = {});
  /// The head as if what was appended last weren't yet.
  Head before_last() const;

  /// `publications` is filled, and the page shows it, until the log changes.
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now);
  /// The same page without publications, and what they are.
  bus::Page plan(const bus::ReadRequest& request, std::vector<Piece>& pieces, TimePoint now);
  Head head(TimePoint now);
  /// As of the last call that had a time.
  Head head() const { return {epoch_, top_, floor_}; }
  Meta meta() const { return {head(), end_byte_}; }

  /// Takes what is too old; the other calls do it by themselves.
  void expire(TimePoint now);

  const Epoch& epoch() const { return epoch_; }
  /// Publications kept.
  std::size_t size() const { return live_; }
  /// What it holds in memory, indexes, marks and keys included.
  std::size_t bytes() const;

 private:
  using Records = std::vector<Record>;
  using Keys = std::unordered_map<std::string_view, Offset>;
  struct Chosen {
    const Record* record;
    std::size_t begin, size;
  };

  Records::const_iterator begin() const {
    return records_.begin() + static_cast<std::ptrdiff_t>(first_);
  }
  Records::const_iterator first_above(Offset offset) const;
  bool last_of_its_key(const Record& record) const;
  Offset last_of_key(std::string_view key) const;
  /// The record that a conditional publish is about: there is a value when it is no deletion.
  const Record* current(std::string_view key) const;
  const Record* find(Offset offset) const;

  std::optional<bus::Published> seen_before(const bus::PublishRequest& request) const;
  std::optional<bus::Published> unexpected(const bus::PublishRequest& request) const;
  std::optional<bus::Published> unfitting(const bus::PublishRequest& request) const;
  std::optional<bus::Published> misplaced(const bus::PublishRequest& request) const;
  bus::Published refused_with_current(std::string_view key, std::string message) const;
  void add(const PublicationView& publication, TimePoint now);
  void place(const bus::PublishRequest& request, TimePoint now);
  void remember(const bus::PublishRequest& request, TimePoint now);
  void index(const Record& record);
  void emplace(const PublicationView& publication, const RecordInfo& info);
  void begin_anew(const Epoch& epoch);
  void trim();
  void remove(std::size_t i);
  void tidy();
  void squeeze();

  std::vector<Chosen> choose(const bus::ReadRequest& request, bus::Page& page, TimePoint now);
  void choose_up(const bus::ReadRequest& request, bus::Page& page, std::vector<Chosen>& out) const;
  void choose_down(const bus::ReadRequest& request, bus::Page& page,
                   std::vector<Chosen>& out) const;
  void choose_bytes(const bus::ReadRequest& request, bus::Page& page, std::vector<Chosen>& out);

  const ChannelOptions* options_;
  const Limits* limits_;
  LogJournal* journal_ = nullptr;
  Epoch epoch_;
  Offset top_;
  Offset floor_;
  std::uint64_t end_byte_ = 0;
  Records records_;         ///< by offset; those before first_ are gone, and some between
  std::size_t first_ = 0;   ///< not gone, unless there is none
  std::size_t live_ = 0;    ///< not gone
  std::size_t bytes_ = 0;   ///< of the texts kept
  std::size_t blocks_ = 0;  ///< of the records' blocks
  Offset last_unkeyed_;
  std::unique_ptr<Keys> last_of_key_;  ///< keys lie in the last's record; null: none
  std::unique_ptr<SourceMarks> marks_;
  std::unique_ptr<IdempotencyKeys> idempotency_keys_;
  bool bare_ = false;
};

/// How long the position of a log that nobody uses is remembered. Of one that nothing was ever
/// appended to nothing can be missed, so it is soon forgotten that somebody asked for its name.
std::chrono::seconds position_ttl(const Head& head, const Limits& limits);

}  // namespace peal::broker
