// The bus over ZeroMQ against one broker in this process, or three that share the channels: each
// node is a gateway with a bus of its own, or a shard of one gateway. The links are cut by ending
// the brokers (what their cores held is lost), and go silent when their threads stand still.
#include "peal/bus/zmq_bus.hpp"

#include <cstdlib>
#include <future>

#include "bus_suite.hpp"
#include "server/broker_loop.hpp"
#include "temp_folder.hpp"

namespace peal::bus::test {
namespace {

using namespace std::chrono_literals;

enum class Shape : std::uint8_t { bus_per_node, one_bus, three_brokers };

/// PEAL_TEST_LOG=1 shows what links say while a test runs.
runtime::Logger said_aloud() {
  if (std::getenv("PEAL_TEST_LOG") == nullptr) return {};
  return runtime::Logger(
      runtime::make_log_backend(runtime::LogFormat::text, runtime::LogLevel::info));
}

class ZmqDriver final : public BusDriver {
 public:
  ZmqDriver(const BusDriverOptions& options, Shape shape) : options_(options), shape_(shape) {
    options_.limits.broker_settle = 200ms;
    if (shape_ == Shape::three_brokers) {
      for (const char* name : {"a", "b", "c"})
        brokers_.push_back({{name, "ipc://" + folder_.path() + "/" + name}, nullptr});
    } else {
      brokers_.push_back({{"", "tcp://127.0.0.1:0"}, nullptr});
    }
    start_brokers();
  }
  ~ZmqDriver() override {
    heal_silence();
    buses_.clear();
  }

  void attach(std::span<const std::unique_ptr<BusNode>> nodes) override {
    std::vector<BusPort*> ports;
    for (const auto& node : nodes) {
      if (buses_.empty() || shape_ != Shape::one_bus) buses_.push_back(make_bus());
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

  void cut() override {
    for (Broker& broker : brokers_)
      broker.loop.reset();
  }
  void heal() override {
    heal_silence();
    start_brokers();
  }
  void freeze() override {
    awake_ = std::promise<void>();
    auto asleep = std::make_shared<std::shared_future<void>>(awake_->get_future().share());
    for (Broker& broker : brokers_)
      broker.loop->post([asleep](broker::Router&) { asleep->wait(); });
  }
  bool others_take_over() const override { return brokers_.size() > 1; }

 private:
  struct Broker {
    BrokerAddress address;
    std::unique_ptr<broker::BrokerLoop> loop;
  };

  void start_brokers() {
    for (Broker& broker : brokers_)
      if (!broker.loop) start(broker);
  }
  void start(Broker& broker) {
    broker::BrokerLoopConfig config;
    config.listen = broker.address.endpoint;
    config.node = broker.address.name.empty() ? "broker" : broker.address.name;
    if (brokers_.size() > 1) {
      for (const Broker& member : brokers_)
        config.members.push_back(member.address);
    }
    config.check_json = false;
    broker.loop = std::make_unique<broker::BrokerLoop>(config, options_.options_of, options_.limits,
                                                       logger_, probes_);
    const auto started = broker.loop->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    broker.address.endpoint = broker.loop->endpoint();
  }
  std::unique_ptr<Bus> make_bus() {
    ZmqBusConfig config;
    for (const Broker& broker : brokers_) {
      const std::string& name = broker.address.name;
      config.connect.push_back((name.empty() ? "" : name + "=") + broker.address.endpoint);
    }
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
  peal::test::TempFolder folder_;
  std::vector<Broker> brokers_;
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
const auto kThree = driver("zmq_three_brokers", Shape::three_brokers);

INSTANTIATE_TEST_SUITE_P(Zmq, BusSuite, testing::Values(kGateways, kShards, kThree), driver_name);
INSTANTIATE_TEST_SUITE_P(Zmq, SharedBusSuite, testing::Values(kGateways, kShards, kThree),
                         driver_name);
INSTANTIATE_TEST_SUITE_P(Zmq, LinkedBusSuite, testing::Values(kGateways, kShards, kThree),
                         driver_name);

}  // namespace
}  // namespace peal::bus::test
