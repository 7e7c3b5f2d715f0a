#include "peal/bus/embedded_bus.hpp"

#include <stdexcept>

#include "bus/embedded_port.hpp"

namespace peal::bus {
namespace {

class EmbeddedBus final : public Bus {
 public:
  EmbeddedBus(std::size_t shards, broker::OptionsOf options_of, const Limits& limits,
              runtime::ProbeRegistry& probes, broker::MakeLogStore make_store, MeetingPlace meeting)
      : options_of_(std::move(options_of)), probes_(probes), relay_(std::move(meeting.relay)) {
    shared_.make_store = std::move(make_store);
    shared_.met_at = std::move(meeting.name);
    shared_.shards = shards;
    shared_.limits = limits;
  }

  BusPort& attach(BusSink& sink, Waker& waker) override {
    if (shared_.ports.size() == shared_.shards || started()) {
      throw std::logic_error("an embedded bus has one port per shard, attached before start");
    }
    const auto index = static_cast<std::uint32_t>(shared_.ports.size());
    auto& port = *shared_.ports.emplace_back(
        std::make_unique<EmbeddedPort>(shared_, index, sink, waker, options_of_));
    probe_handles_.push_back(probes_.add(port.probe()));
    probe_handles_.push_back(probes_.add(port.core_probe()));
    return port;
  }

  Result<void> start() override {
    if (shared_.ports.size() != shared_.shards) {
      return fail(ErrorCode::internal_error, "not every shard has attached to the bus");
    }
    shared_.phase.store(EmbeddedShared::Phase::running, std::memory_order_release);
    wake_all();
    return {};
  }

  void stop() override {
    if (!started()) return;
    shared_.phase.store(EmbeddedShared::Phase::stopped, std::memory_order_release);
    wake_all();
  }

  void answer_with(ClusterHandler handler) override {
    if (relay_) return relay_->answer_with(std::move(handler));
    handler_ = std::move(handler);
  }
  void ask(const ClusterQuery& query, ClusterDone done) override {
    if (relay_) return relay_->ask(query, std::move(done));
    if (!handler_) return done({});
    handler_(query, std::move(done));
  }

  BusState state() const override {
    const auto phase = shared_.phase.load(std::memory_order_acquire);
    const bool linked = phase == EmbeddedShared::Phase::running;
    if (!linked) return {.linked = false, .shared = false, .detail = "not running"};
    return shared_.linked_state();
  }

 private:
  bool started() const {
    return shared_.phase.load(std::memory_order_acquire) != EmbeddedShared::Phase::attaching;
  }
  void wake_all() {
    for (const auto& port : shared_.ports)
      port->wake();
  }

  broker::OptionsOf options_of_;
  runtime::ProbeRegistry& probes_;
  EmbeddedShared shared_;
  const std::shared_ptr<broker::ClusterRelay> relay_;
  ClusterHandler handler_;
  std::vector<std::shared_ptr<void>> probe_handles_;  // die before what they read
};

}  // namespace

std::unique_ptr<Bus> make_embedded_bus(std::size_t shards, broker::OptionsOf options_of,
                                       const Limits& limits, runtime::ProbeRegistry& probes,
                                       broker::MakeLogStore make_store, MeetingPlace meeting) {
  return std::make_unique<EmbeddedBus>(shards == 0 ? 1 : shards, std::move(options_of), limits,
                                       probes, std::move(make_store), std::move(meeting));
}

}  // namespace peal::bus
