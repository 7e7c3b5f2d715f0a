#include "peal/bus/zmq_bus.hpp"

#include <thread>

#include "bus/zmq_thread.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::bus {
namespace {

class ZmqBus final : public Bus {
 public:
  ZmqBus(ZmqBusConfig config, const Limits& limits, const runtime::Logger& logger,
         runtime::ProbeRegistry& probes)
      : config_(std::move(config)), limits_(limits), logger_(logger.with("bus")), probes_(probes) {
    shared_.queue_bytes_max = limits.link_credit_bytes;
    handles_.push_back(probes_.add(probe_));
  }
  ~ZmqBus() override { stop(); }

  BusPort& attach(BusSink& sink, Waker& waker) override {
    const auto index = static_cast<std::uint32_t>(ports_.size());
    ports_.push_back(std::make_unique<ZmqPort>(shared_, index, sink, waker));
    handles_.push_back(probes_.add(*ports_.back()));
    return *ports_.back();
  }

  Result<void> start() override {
    std::vector<ZmqPort*> ports;
    for (const auto& port : ports_)
      ports.push_back(port.get());
    bus_ =
        std::make_unique<ZmqThread>(config_, limits_, logger_, shared_, std::move(ports), probe_);
    shared_.phase.store(ZmqShared::Phase::running, std::memory_order_release);
    thread_ = std::thread([this] { bus_->run(); });
    return {};
  }

  void stop() override {
    if (!thread_.joinable()) return;
    bus_->stop();
    thread_.join();
    shared_.phase.store(ZmqShared::Phase::stopped, std::memory_order_release);
    for (const auto& port : ports_)
      port->wake();
  }

  BusState state() const override {
    return bus_ ? bus_->state()
                : BusState{.linked = false, .shared = true, .detail = "not started"};
  }

  void answer_with(ClusterHandler handler) override {
    shared_.queries.answer_with(std::move(handler));
  }
  void ask(const ClusterQuery& query, ClusterDone done) override {
    shared_.queries.ask(query, std::move(done));
  }

 private:
  const ZmqBusConfig config_;
  const Limits limits_;
  const runtime::Logger logger_;
  runtime::ProbeRegistry& probes_;
  ZmqBusProbe probe_;
  ZmqShared shared_;
  std::vector<std::unique_ptr<ZmqPort>> ports_;
  std::unique_ptr<ZmqThread> bus_;
  std::thread thread_;
  std::vector<std::shared_ptr<void>> handles_;
};

}  // namespace

Result<std::unique_ptr<Bus>> make_zmq_bus(ZmqBusConfig config, const Limits& limits,
                                          runtime::Logger logger, runtime::ProbeRegistry& probes) {
  auto brokers = read_brokers(config.connect, "bus.connect");
  if (!brokers) return brokers.error();
  if (auto keys = runtime::complete(config.curve); !keys) return keys.error();
  for (const BrokerAddress& broker : *brokers) {
    const auto safe =
        runtime::require_curve(broker.endpoint, config.curve, config.insecure, "bus.connect");
    if (!safe) return safe.error();
  }
  if (config.curve.configured() && config.curve.server_key.empty()) {
    return fail(ErrorCode::config_invalid,
                "curve.server_key is missing: the public key of the brokers");
  }
  return std::unique_ptr<Bus>(std::make_unique<ZmqBus>(std::move(config), limits, logger, probes));
}

}  // namespace peal::bus
