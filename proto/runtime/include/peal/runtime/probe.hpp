#pragma once
// Metrics. A component has one Probe whose methods are past-tense events; its owner thread counts
// with Counter (one writer, no lock), and a scrape from any thread reads them through `collect`.
// Registry::text() is what /metrics and the control socket's `stats` show.

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace peal::runtime {

/// Written by one thread, read by any.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Receives the numbers of one scrape. Same name with other labels, or from several probes with the
/// same labels (shards): one family; equal label sets are summed.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void counter(std::string_view name, std::string_view help, double value,
                       Labels labels = {}) = 0;
  virtual void gauge(std::string_view name, std::string_view help, double value,
                     Labels labels = {}) = 0;
  void counter(std::string_view name, std::string_view help, const Counter& value,
               Labels labels = {}) {
    counter(name, help, static_cast<double>(value.value()), labels);
  }
  void gauge(std::string_view name, std::string_view help, const Counter& value,
             Labels labels = {}) {
    gauge(name, help, static_cast<double>(value.value()), labels);
  }
};

class Probe {
 public:
  virtual ~Probe() = default;
  /// Any thread.
  virtual void collect(MetricSink& sink) const = 0;
};

/// All probes of one process (no singleton: the App owns it). Any thread.
class ProbeRegistry {
 public:
  ProbeRegistry();
  ~ProbeRegistry();
  ProbeRegistry(const ProbeRegistry&) = delete;
  ProbeRegistry& operator=(const ProbeRegistry&) = delete;

  /// The probe is read until the returned handle dies.
  [[nodiscard]] std::shared_ptr<void> add(const Probe& probe);
  /// Prometheus text format 0.0.4.
  std::string text() const;
  /// One flat JSON object: {"peal_name{label=\"x\"}": number, …}.
  std::string json() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace peal::runtime
