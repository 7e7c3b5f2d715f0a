#pragma once
// What a monitor counts. Past-tense events, written by the monitor's thread; collect() from any
// thread.

#include "peal/monitor/publisher.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::monitor {

class MonitorProbe final : public runtime::Probe {
 public:
  void took(std::size_t changes) { changes_.add(changes); }
  void rang_nowhere() { unmapped_.add(); }
  void rejected() { rejected_.add(); }
  void met_used_numbers() { renumbered_.add(); }
  void connected(bool is) { connected_.set(is ? 1 : 0); }
  void linked(bool is) { linked_.set(is ? 1 : 0); }
  void active(bool is) {
    if (is) sessions_.add();
    active_.set(is ? 1 : 0);
  }
  std::uint64_t sessions() const { return sessions_.value(); }
  void connection_lost() { lost_.add(); }
  void lag_measured(std::uint64_t changes, std::uint64_t bytes, std::uint64_t ms,
                    std::uint64_t rejected_rows) {
    lag_changes_.set(changes);
    lag_bytes_.set(bytes);
    lag_ms_.set(ms);
    rejected_rows_.set(rejected_rows);
  }
  /// Bytes of WAL after which the slot is lost; none: there is no such limit.
  void wal_left(std::optional<std::uint64_t> bytes) {
    wal_limited_.set(bytes ? 1 : 0);
    wal_left_.set(bytes.value_or(0));
  }
  /// Entries after which some that were not read are trimmed; none: no stream is seen to be.
  void stream_left(std::optional<std::uint64_t> entries) {
    stream_trimmed_.set(entries ? 1 : 0);
    stream_left_.set(entries.value_or(0));
  }
  /// Millionths of the queue of what was said and not read.
  void queue_used(std::uint64_t millionths) {
    has_queue_.set(1);
    queue_used_.set(millionths);
  }
  void published(const Publisher::Counts& counts) {
    published_.set(counts.published);
    duplicates_.set(counts.duplicates);
    retries_.set(counts.retries);
  }

  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter changes_, unmapped_, rejected_, renumbered_, lost_, sessions_;
  runtime::Counter published_, duplicates_, retries_;
  runtime::Counter connected_, linked_, active_, lag_changes_, lag_bytes_, lag_ms_, rejected_rows_;
  runtime::Counter wal_limited_, wal_left_, stream_trimmed_, stream_left_, has_queue_, queue_used_;
};

}  // namespace peal::monitor
