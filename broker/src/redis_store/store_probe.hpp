#pragma once
// What one core's logs in Redis have done, for /metrics.

#include "peal/runtime/probe.hpp"

namespace peal::redis_store {

class StoreProbe final : public runtime::Probe {
 public:
  void append_called(std::size_t publishes) {
    calls_.add();
    publishes_.add(publishes);
  }
  void question_asked() { questions_.add(); }
  void subscription_broken() { broken_.add(); }
  void reset_told() { resets_.add(); }
  void page_repaired() { repairs_.add(); }
  void outcome_unknown() { unknown_.add(); }
  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter calls_, publishes_, questions_, broken_, resets_, repairs_, unknown_;
};

}  // namespace peal::redis_store
