#include "bus/zmq_port.hpp"

#include <random>
#include <utility>

#include "bus/zmq_session.hpp"
#include "peal/proto/bus_refusals.hpp"

namespace peal::bus {

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

ZmqPort::ZmqPort(ZmqShared& shared, std::uint32_t index, BusSink& sink, Waker& waker)
    : shared_(shared), index_(index), sink_(sink), waker_(waker) {}

TurnCommands& ZmqPort::gathering() {
  if (open_ != nullptr) return open_->commands;
  if (idle_.empty()) {
    messages_.push_back(std::make_unique<CommandMessage>());
    messages_.back()->port = index_;
    idle_.push_back(messages_.back().get());
  }
  open_ = idle_.back();
  idle_.pop_back();
  return open_->commands;
}

void ZmqPort::watch(Alias alias, std::string_view channel) {
  watched_.add(alias, 0);
  gathering().watch(alias, channel);
}

void ZmqPort::unwatch(Alias alias) {
  if (!watched_.contains(alias)) return;
  watched_.remove(alias);
  gathering().unwatch(alias);
}

void ZmqPort::publish(const PublishRequest& request) {
  const std::size_t mine = open_ == nullptr ? 0 : open_->commands.bytes();
  if (shared_.queued_bytes.load(std::memory_order_relaxed) + mine < shared_.queue_bytes_max) {
    return gathering().publish(request);
  }
  overloaded_.add();
  if (request.id == 0) return;
  refused_.push_back(refused_publish(
      request.id,
      fail(ErrorCode::overloaded, "the queue to the broker is full (limits.link_credit_bytes)")));
}

void ZmqPort::read(const ReadRequest& request) {
  gathering().read(request);
}

void ZmqPort::enter(Alias alias, const Member& member) {
  if (watched_.contains(alias)) gathering().enter(alias, member);
}

void ZmqPort::leave(Alias alias, std::string_view session) {
  if (watched_.contains(alias)) gathering().leave(alias, session);
}

void ZmqPort::presence(const PresenceRequest& request) {
  gathering().presence(request);
}

bool ZmqPort::turn() {
  using Phase = ZmqShared::Phase;
  const Phase phase = shared_.phase.load(std::memory_order_acquire);
  if (phase == Phase::attaching || finished_) return false;
  if (phase == Phase::stopped) {
    finish();
    return false;
  }
  for (CommandMessage* back = returned_.take(); back != nullptr;) {
    idle_.push_back(std::exchange(back, back->next));
  }
  post_gathered();
  hand_over();
  return open_ != nullptr || !refused_.empty() || !inbox_.empty();
}

void ZmqPort::post_gathered() {
  if (open_ == nullptr) return;
  CommandMessage* const message = std::exchange(open_, nullptr);
  message->posted = shared_.clock();
  message->bytes = message->commands.bytes();
  shared_.queued_bytes.fetch_add(message->bytes, std::memory_order_relaxed);
  if (shared_.commands.post(message)) shared_.wake.wake();
}

void ZmqPort::hand_over() {
  bool spent = false;
  for (ResultMessage* message = inbox_.take(); message != nullptr;) {
    ResultMessage* const arrived = std::exchange(message, message->next);
    if (arrived->state) sink_.on_state(*arrived->state);
    arrived->results.hand_over(sink_, watched_);
    arrived->results.reset();
    arrived->state.reset();
    shared_.spent.post(arrived);
    spent = true;
  }
  if (spent && shared_.wants_room.load(std::memory_order_seq_cst)) shared_.wake.wake();
  if (refused_.empty()) return;
  refused_due_.swap(refused_);
  sink_.on_published(refused_due_);
  refused_due_.clear();
}

/// The bus thread is no more; what it said last is in the inbox, and what it never took (this port
/// may have posted it after the thread's last look) is still in the messages: taken ones are empty.
void ZmqPort::finish() {
  finished_ = true;
  hand_over();
  std::vector<Published> outcomes;
  for (const auto& message : messages_) {
    message->commands.each_publish_id([&](RequestId id) {
      outcomes.push_back(unknown_publish(id, "the bus was stopped meanwhile"));
    });
    message->commands.reset();
  }
  open_ = nullptr;
  if (!outcomes.empty()) sink_.on_published(outcomes);
}

void ZmqPort::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_bus_overloaded_total", "Publishes refused: the way to the broker is full",
               overloaded_);
}

}  // namespace peal::bus
