#pragma once
// What the disk stores of a process count: commits on the commit thread, channels and appends on
// each core's. Past-tense events, each written by its one thread; collect() from any.

#include <chrono>
#include <cstdint>

#include "peal/runtime/probe.hpp"

namespace peal::disk {

/// The commit thread's.
class CommitProbe final : public runtime::Probe {
 public:
  void committed(std::size_t stores, std::size_t bytes, std::chrono::nanoseconds took) {
    commits_.add();
    batches_.add(stores);
    bytes_.add(bytes);
    nanoseconds_.add(static_cast<std::uint64_t>(took.count()));
  }
  void refused() { refused_.add(); }
  void failed() { failed_.add(); }
  void reopened() { reopened_.add(); }
  void looked(std::uint64_t free, std::uint64_t used, bool writable) {
    free_.set(free);
    used_.set(used);
    writable_.set(writable ? 1 : 0);
  }
  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter commits_, batches_, bytes_, nanoseconds_, refused_, failed_, reopened_;
  runtime::Counter free_, used_, writable_;
};

/// One core's store's.
class StoreProbe final : public runtime::Probe {
 public:
  void appended(std::size_t publications) { appends_.add(publications); }
  void loaded() { loads_.add(); }
  void cache_is(std::size_t logs, std::size_t bytes) {
    cached_.set(logs);
    cached_bytes_.set(bytes);
  }
  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter appends_, loads_, cached_, cached_bytes_;
};

}  // namespace peal::disk
