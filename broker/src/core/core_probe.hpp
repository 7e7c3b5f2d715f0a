#pragma once
// What a core counts. Past-tense events, written by the core's thread; collect() from any thread.

#include <array>
#include <cstddef>

#include "peal/proto/error_code.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::broker {

class CoreProbe final : public runtime::Probe {
 public:
  void published(std::size_t bytes) {
    publications_.add();
    publication_bytes_.add(bytes);
  }
  void delivered(std::size_t targets) { deliveries_.add(targets); }
  void duplicate_found() { duplicates_.add(); }
  void refused(ErrorCode code) { refused_[static_cast<std::size_t>(code)].add(); }
  void members_changed(std::size_t members, std::size_t channels) {
    members_.set(members);
    presence_channels_.set(channels);
  }
  void member_refused() { members_refused_.add(); }
  void presence_told() { presence_events_.add(); }
  void occupancy_told() { occupancy_events_.add(); }
  void page_read() { pages_.add(); }
  void interest_changed(std::size_t channels, std::size_t watches) {
    channels_.set(channels);
    watches_.set(watches);
  }
  void logs_changed(std::size_t logs, std::size_t bytes, std::size_t epochs_ended) {
    logs_.set(logs);
    log_bytes_.set(bytes);
    epochs_ended_.set(epochs_ended);
  }

  void collect(runtime::MetricSink& sink) const override;

 private:
  static constexpr std::size_t kCodes = 64;
  runtime::Counter publications_, publication_bytes_, deliveries_, duplicates_, pages_;
  runtime::Counter channels_, watches_, logs_, log_bytes_, epochs_ended_;
  runtime::Counter members_, presence_channels_, members_refused_;
  runtime::Counter presence_events_, occupancy_events_;
  std::array<runtime::Counter, kCodes> refused_;
};

}  // namespace peal::broker
