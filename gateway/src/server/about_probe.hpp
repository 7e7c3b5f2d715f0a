#pragma once
// What a gateway says of itself as a whole: whether its bus is linked, and whether other gateways
// hear what is published here (with the embedded bus they don't).

#include <atomic>
#include <memory>

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::gateway {

class AboutProbe final : public runtime::Probe {
 public:
  AboutProbe(const Gateway& gateway, runtime::ProbeRegistry& probes)
      : gateway_(gateway), registration_(probes.add(*this)) {}

  void ingest_failed() { ingest_failed_.fetch_add(1, std::memory_order_relaxed); }  ///< any thread

  void collect(runtime::MetricSink& sink) const override {
    const bus::BusState state = gateway_.bus_state();
    sink.gauge("peal_bus_linked", "1 while publishes can be taken", state.linked ? 1 : 0);
    sink.gauge("peal_bus_shared", "1 when other gateways hear what is published here",
               state.shared ? 1 : 0);
    sink.counter("peal_ingest_failed_total", "Ingested publications that the core did not take",
                 static_cast<double>(ingest_failed_.load()));
  }

 private:
  const Gateway& gateway_;
  std::atomic<std::uint64_t> ingest_failed_{0};
  std::shared_ptr<void> registration_;
};

}  // namespace peal::gateway
