#pragma once
// The rules of one recoverable channel: what a publish becomes, what is kept, what a read covers.
// Pure: time comes with each call, the epoch is given. Each store follows it (Redis by a function
// of its own, judged by the same model).
//   - Offsets count from 1; `top` is the last given, `floor` the highest removed with no later
//     publication of its key remaining (one without a key has none).
//   - A publish is judged in this order: Idempotency-Key, source and sequence, previous, expect.
//   What had
//     been appended before is told so even if its expectation doesn't hold any more.
//   - Kept are at most history_length_max publications of history_bytes_max bytes, each for
//     history_age_max; the oldest go first. Marks and keys stay when publications go.
// Idempotency-Keys, marks and positions end with the log: a new one has a new epoch.

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/idempotency_keys.hpp"
#include "core/record.hpp"
#include "core/source_marks.hpp"
#include "peal/broker/channel_options.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"

namespace peal::broker {

class Log {
 public:
  Log(Epoch epoch, const ChannelOptions& options, const Limits& limits);

  /// The outcome; `ok` without `duplicate` means: appended at `position`. Views are copied.
  bus::Published append(const bus::PublishRequest& request, TimePoint now);

  /// `publications` is filled, and the page shows it, until the log changes.
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now);
  Head head(TimePoint now);
  /// As of the last call that had a time.
  Head head() const { return {epoch_, top_, floor_}; }

  /// Takes what is too old; the other calls do it by themselves.
  void expire(TimePoint now);

  const Epoch& epoch() const { return epoch_; }
  std::size_t size() const { return records_.size() - first_; }
  /// What it holds in memory, roughly.
  std::size_t bytes() const;

 private:
  using Records = std::vector<Record>;
  Records::const_iterator begin() const {
    return records_.begin() + static_cast<std::ptrdiff_t>(first_);
  }
  Records::const_iterator first_above(Offset offset) const;
  bool last_of_its_key(const Record& record) const;
  Offset last_of_key(std::string_view key) const;

  std::optional<bus::Published> seen_before(const bus::PublishRequest& request) const;
  std::optional<bus::Published> unexpected(const bus::PublishRequest& request) const;
  void add(const PublicationView& publication, TimePoint now);
  void remove_first();
  void read_up(const bus::ReadRequest& request, bus::Page& page,
               std::vector<PublicationView>& out) const;
  void read_down(const bus::ReadRequest& request, bus::Page& page,
                 std::vector<PublicationView>& out) const;

  const Epoch epoch_;
  const ChannelOptions options_;
  const Limits& limits_;

  Offset top_;
  Offset floor_;
  Records records_;  ///< by offset; those before first_ are gone
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;  ///< of the records' texts
  Offset last_unkeyed_;
  std::unordered_map<std::string_view, Offset> last_of_key_;  ///< keys lie in the last's record
  SourceMarks marks_;
  IdempotencyKeys idempotency_keys_;
};

}  // namespace peal::broker
