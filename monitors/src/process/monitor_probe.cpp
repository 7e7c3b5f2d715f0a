#include "process/monitor_probe.hpp"

namespace peal::monitor {

void MonitorProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_monitor_changes_total", "Changes taken from the source", changes_);
  sink.counter("peal_monitor_publications_total", "Publications that were appended or delivered",
               published_);
  sink.counter("peal_monitor_duplicates_total",
               "Publications that were there already, from before a crash or a lost link",
               duplicates_);
  sink.counter("peal_monitor_retries_total", "Publishes that ended otherwise and were repeated",
               retries_);
  sink.counter("peal_monitor_unmapped_total",
               "Times a rule matched a change and had no channel for it", unmapped_);
  sink.counter("peal_monitor_rejected_total", "Changes that can never be published", rejected_);
  sink.counter("peal_monitor_renumbered_total",
               "Times the source had gone back behind numbers it had given out", renumbered_);
  sink.counter("peal_monitor_connections_lost_total", "Connections to the source that ended",
               lost_);
  sink.gauge("peal_monitor_connected", "1 while the source is reached", connected_);
  sink.gauge("peal_monitor_linked", "1 while the broker is reached", linked_);
  sink.gauge("peal_monitor_active", "1 while this instance takes changes; a standby has 0",
             active_);
  sink.gauge("peal_monitor_lag_changes", "Changes that wait in the source", lag_changes_);
  sink.gauge("peal_monitor_lag_bytes", "Bytes that wait in the source", lag_bytes_);
  sink.gauge("peal_monitor_lag_seconds", "Age of the oldest change that waits",
             static_cast<double>(lag_ms_.value()) / 1000.0);
  if (wal_limited_.value() != 0) {
    sink.gauge("peal_monitor_wal_left_bytes",
               "Bytes of WAL that may still be written before the slot is lost", wal_left_);
  }
  if (stream_trimmed_.value() != 0) {
    sink.gauge("peal_monitor_stream_left_entries",
               "Entries that may still be added before a stream is trimmed of unread ones",
               stream_left_);
  }
  if (has_queue_.value() != 0) {
    sink.gauge("peal_monitor_queue_used_ratio",
               "Part of NOTIFY's queue that is taken; when it is full NOTIFY fails",
               static_cast<double>(queue_used_.value()) / 1e6);
  }
  sink.gauge("peal_monitor_rejected_rows", "Rows in peal.rejected", rejected_rows_);
}

}  // namespace peal::monitor
