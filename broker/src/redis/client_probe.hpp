#pragma once
// What a Redis client counts. Past-tense events, written by its one thread; collect() from any.

#include "peal/redis/reply.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::redis {

class ClientProbe final : public runtime::Probe {
 public:
  void asked(std::size_t bytes) {
    commands_.add();
    unanswered_bytes_.set(unanswered_bytes_.value() + bytes);
  }
  void ended(Outcome outcome, std::size_t bytes) {
    outcomes_[static_cast<std::size_t>(outcome)].add();
    unanswered_bytes_.set(unanswered_bytes_.value() - bytes);
  }
  void redirected() { redirects_.add(); }
  void connected() { connects_.add(); }
  void disconnected() { disconnects_.add(); }
  void went_deaf() { deaf_.add(); }
  void received(std::size_t bytes) {
    messages_.add();
    message_bytes_.add(bytes);
  }
  std::size_t unanswered_bytes() const { return unanswered_bytes_.value(); }
  void collect(runtime::MetricSink& sink) const override;

 private:
  runtime::Counter commands_, unanswered_bytes_, redirects_, connects_, disconnects_, deaf_;
  runtime::Counter messages_, message_bytes_;
  runtime::Counter outcomes_[4];
};

}  // namespace peal::redis
