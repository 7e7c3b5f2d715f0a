#pragma once
// What the control thread counts.

#include <array>

#include "peal/proto/error_code.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {

class ControlProbe final : public Probe {
 public:
  void command_received() { commands_.add(); }
  void command_refused(ErrorCode code) { refused_[static_cast<std::size_t>(code)].add(); }
  void reply_dropped() { replies_dropped_.add(); }
  void publication_ingested() { ingested_.add(); }
  void publication_refused(ErrorCode code) { not_ingested_[static_cast<std::size_t>(code)].add(); }

  void collect(MetricSink& sink) const override;

 private:
  static constexpr std::size_t kCodes = static_cast<std::size_t>(ErrorCode::internal_error) + 1;
  using ByCode = std::array<Counter, kCodes>;

  Counter commands_;
  Counter replies_dropped_;
  Counter ingested_;
  ByCode refused_;
  ByCode not_ingested_;
};

}  // namespace peal::runtime
