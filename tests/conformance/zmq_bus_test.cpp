// The bus over ZeroMQ against a broker in this process: each node is a gateway with a bus of its
// own, or a shard of one gateway. The link is cut by ending the broker (what its core held is
// lost), and goes silent when the broker's thread stands still.
#include "peal/bus/zmq_bus.hpp"

#include <cstdlib>
#include <future>

#include "bus_suite.hpp"
#include "server/broker_loop.hpp"

namespace peal::bus::test {
namespace {

enum class Shape : std::uint8_t { bus_per_node, one_bus };

/// PEAL_TEST_LOG=1 shows what links say while a test runs.
runtime::Logger said_aloud() {
  if (std::getenv("PEAL_TEST_LOG") == nullptr) return {};
  return runtime::Logger(
      runtime::make_log_backend(runtime::LogFormat::text, runtime::LogLevel::info));
}

class ZmqDriver final : public BusDriver {
 public:
  ZmqDriver(const BusDriverOptions& options, Shape shape) : options_(options), shape_(shape) {
    start_broker("tcp://127.0.0.1:0");
  }
  ~ZmqDriver() override {
    heal_silence();
    buses_.clear();
  }

  void attach(std::span<const std::unique_ptr<BusNode>> nodes) override {
    std::vector<BusPort*> ports;
    for (const auto& node : nodes) {
      if (buses_.empty() || shape_ == Shape::bus_per_node) buses_.push_back(make_bus());
      ports.push_back(&buses_.back()->attach(node->sink(), *node));
    }
    for (const auto& bus : buses_)
      ASSERT_TRUE(bus->start().has_value());
    for (std::size_t i = 0; i < nodes.size(); ++i)
      nodes[i]->start(*ports[i]);
  }
  void stop() override {
    for (const auto& bus : buses_)
      bus->stop();
  }
  std::size_t buses() const override { return buses_.size(); }
  Bus& bus(std::size_t i) override { return *buses_[i]; }

  void cut() override { broker_.reset(); }
  void heal() override {
    heal_silence();
    if (!broker_) start_broker(endpoint_);
  }
  void freeze() override {
    awake_ = std::promise<void>();
    auto asleep = std::make_shared<std::shared_future<void>>(awake_->get_future().share());
    broker_->post([asleep](broker::Router&) { asleep->wait(); });
  }

 private:
  void start_broker(const std::string& listen) {
    broker::BrokerLoopConfig config;
    config.listen = listen;
    config.node = "broker";
    config.check_json = false;
    broker_ = std::make_unique<broker::BrokerLoop>(config, options_.options_of, options_.limits,
                                                   logger_, probes_);
    const auto started = broker_->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    endpoint_ = broker_->endpoint();
  }
  std::unique_ptr<Bus> make_bus() {
    ZmqBusConfig config;
    config.connect = {endpoint_};
    config.node = "gateway-" + std::to_string(buses_.size());
    auto bus = make_zmq_bus(config, options_.limits, logger_, probes_);
    EXPECT_TRUE(bus.has_value()) << (bus ? "" : bus.error().message);
    if (options_.handler_of) (*bus)->answer_with(options_.handler_of(buses_.size()));
    return std::move(*bus);
  }
  void heal_silence() {
    if (awake_) awake_->set_value();
    awake_.reset();
  }

  BusDriverOptions options_;
  const Shape shape_;
  runtime::ProbeRegistry probes_;
  runtime::Logger logger_ = said_aloud();
  std::unique_ptr<broker::BrokerLoop> broker_;
  std::string endpoint_;
  std::vector<std::unique_ptr<Bus>> buses_;
  std::optional<std::promise<void>> awake_;
};

BusDriverParam driver(const char* name, Shape shape) {
  return {name, [shape](const BusDriverOptions& options) {
            return std::make_unique<ZmqDriver>(options, shape);
          }};
}

const auto kGateways = driver("zmq_gateways", Shape::bus_per_node);
const auto kShards = driver("zmq_shards", Shape::one_bus);

INSTANTIATE_TEST_SUITE_P(Zmq, BusSuite, testing::Values(kGateways, kShards), driver_name);
INSTANTIATE_TEST_SUITE_P(Zmq, SharedBusSuite, testing::Values(kGateways, kShards), driver_name);
INSTANTIATE_TEST_SUITE_P(Zmq, LinkedBusSuite, testing::Values(kGateways, kShards), driver_name);

}  // namespace
}  // namespace peal::bus::test
