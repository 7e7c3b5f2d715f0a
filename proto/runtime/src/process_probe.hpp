#pragma once
// What the kernel says of this process, under the names that Prometheus' own clients use.

#include "peal/runtime/probe.hpp"

namespace peal::runtime {

class ProcessProbe final : public Probe {
 public:
  void collect(MetricSink& sink) const override;
};

}  // namespace peal::runtime
