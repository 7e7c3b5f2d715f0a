#include "disk/disk_probe.hpp"

namespace peal::disk {
namespace {

double number(const runtime::Counter& counter) {
  return static_cast<double>(counter.value());
}

}  // namespace

void CommitProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_disk_commits_total", "Commits, each with one fsync", number(commits_));
  sink.counter("peal_disk_batches_total", "Batches of the cores in those commits",
               number(batches_));
  sink.counter("peal_disk_commit_bytes_total", "Bytes of rows committed", number(bytes_));
  sink.counter("peal_disk_commit_seconds_total", "Time that commits took, fsync included",
               number(nanoseconds_) * 1e-9);
  sink.counter("peal_disk_refused_total", "Batches refused: too little space, or not writable",
               number(refused_));
  sink.counter("peal_disk_failed_total", "Commits that failed: their outcome was unknown",
               number(failed_));
  sink.counter("peal_disk_reopened_total", "Times the store was opened again after a failure",
               number(reopened_));
  sink.gauge("peal_disk_free_bytes", "Space left for the store", number(free_));
  sink.gauge("peal_disk_used_bytes", "Bytes of the store's table files", number(used_));
  sink.gauge("peal_disk_writable", "1: publishes to channels with a log can be taken",
             number(writable_));
}

void StoreProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_disk_appends_total", "Publications committed", number(appends_));
  sink.counter("peal_disk_loads_total", "Logs whose index was read from the disk", number(loads_));
  sink.gauge("peal_disk_cached_logs", "Logs whose index is in memory", number(cached_));
  sink.gauge("peal_disk_cached_bytes", "Memory of those indexes", number(cached_bytes_));
}

}  // namespace peal::disk
