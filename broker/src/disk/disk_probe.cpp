#include "disk/disk_probe.hpp"

namespace peal::disk {
void CommitProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_disk_commits_total", "Commits, each with one fsync", commits_);
  sink.counter("peal_disk_batches_total", "Batches of the cores in those commits", batches_);
  sink.counter("peal_disk_commit_bytes_total", "Bytes of rows committed", bytes_);
  sink.counter("peal_disk_commit_seconds_total", "Time that commits took, fsync included",
               static_cast<double>(nanoseconds_.value()) * 1e-9);
  sink.counter("peal_disk_refused_total", "Batches refused: too little space, or not writable",
               refused_);
  sink.counter("peal_disk_failed_total", "Commits that failed: their outcome was unknown", failed_);
  sink.counter("peal_disk_reopened_total", "Times the store was opened again after a failure",
               reopened_);
  sink.gauge("peal_disk_free_bytes", "Space left for the store", free_);
  sink.gauge("peal_disk_used_bytes", "Bytes of the store's table files", used_);
  sink.gauge("peal_disk_writable", "1: publishes to channels with a log can be taken", writable_);
}

void StoreProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_disk_appends_total", "Publications committed", appends_);
  sink.counter("peal_disk_loads_total", "Logs whose index was read from the disk", loads_);
  sink.gauge("peal_disk_cached_logs", "Logs whose index is in memory", cached_);
  sink.gauge("peal_disk_cached_bytes", "Memory of those indexes", cached_bytes_);
}

}  // namespace peal::disk
