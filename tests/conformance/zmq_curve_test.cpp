// Real sockets that meet the wrong other side: keys that do not fit, another cluster, bytes that
// are no bus.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "bus_node.hpp"
#include "eventually.hpp"
#include "log_capture.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "server/broker_loop.hpp"

namespace peal::bus::test {
namespace {

using namespace std::chrono_literals;

runtime::CurveConfig keys() {
  const auto pair = runtime::generate_curve_keys();
  runtime::CurveConfig config;
  config.public_key = pair.public_key;
  config.secret_key = pair.secret_key;
  return config;
}

class ZmqMeeting : public testing::Test {
 protected:
  ~ZmqMeeting() override {
    if (node) node->stop();
    bus.reset();
  }

  void start_broker(const runtime::CurveConfig& curve) {
    broker::BrokerLoopConfig config;
    config.listen = "tcp://127.0.0.1:0";
    config.node = "broker-1";
    config.curve = curve;
    loop = std::make_unique<broker::BrokerLoop>(
        config, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{},
        runtime::Logger(broker_log), broker_probes);
    const auto started = loop->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  void start_gateway(const runtime::CurveConfig& curve, std::string cluster = "peal") {
    ZmqBusConfig config;
    config.connect = {loop->endpoint()};
    config.node = "gateway-1";
    config.curve = curve;
    config.cluster = std::move(cluster);
    auto made = make_zmq_bus(config, Limits{}, runtime::Logger(gateway_log), gateway_probes);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    bus = std::move(*made);
    node = std::make_unique<BusNode>();
    auto& port = bus->attach(node->sink(), *node);
    ASSERT_TRUE(bus->start().has_value());
    node->start(port);
  }
  bool linked(std::chrono::milliseconds patience = BusNode::kPatience) {
    return node->heard(
        [](const RecordingSink& sink) { return !sink.states.empty() && sink.states.back().linked; },
        patience);
  }
  /// Waits until the log says it.
  static bool says(const peal::test::LogCapture& log, std::string_view text) {
    return peal::test::eventually([&] { return log.said(text); }, 30s);
  }
  /// The metric's value once it is not 0 any more, or 0 after a while.
  static double metric(const runtime::ProbeRegistry& probes, const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    for (;;) {
      const std::string text = probes.text();
      const auto at = text.find("\n" + name + " ");
      const double value =
          at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
      if (value > 0 || std::chrono::steady_clock::now() > deadline) return value;
      std::this_thread::sleep_for(5ms);
    }
  }
  void expect_refused_publishes() {
    node->publish("room", "1", 1);
    ASSERT_TRUE(node->heard([](const RecordingSink& sink) { return sink.outcomes.size() == 1; }));
    node->with([](auto&, RecordingSink& sink) {
      EXPECT_EQ(sink.outcomes[0].status, Published::Status::refused);
      EXPECT_EQ(sink.outcomes[0].error->code, ErrorCode::broker_unavailable);
    });
  }

  std::shared_ptr<peal::test::LogCapture> broker_log = std::make_shared<peal::test::LogCapture>();
  std::shared_ptr<peal::test::LogCapture> gateway_log = std::make_shared<peal::test::LogCapture>();
  runtime::ProbeRegistry broker_probes, gateway_probes;
  std::unique_ptr<broker::BrokerLoop> loop;
  std::unique_ptr<Bus> bus;
  std::unique_ptr<BusNode> node;
};

TEST_F(ZmqMeeting, KeysThatFitLink) {
  auto broker = keys(), gateway = keys();
  broker.allowed_keys = {gateway.public_key};
  gateway.server_key = broker.public_key;
  start_broker(broker);
  start_gateway(gateway);
  EXPECT_TRUE(linked());
  EXPECT_EQ(metric(broker_probes, "peal_broker_links"), 1);
}

TEST_F(ZmqMeeting, AKeyThatIsNotAllowedIsSaidOnBothSides) {
  auto broker = keys(), gateway = keys();
  broker.allowed_keys = {keys().public_key};
  gateway.server_key = broker.public_key;
  start_broker(broker);
  start_gateway(gateway);
  EXPECT_TRUE(says(*gateway_log, "does not allow our CURVE key"));
  EXPECT_TRUE(says(*broker_log, gateway.public_key)) << "who it was is said";
  EXPECT_GT(metric(broker_probes, "peal_curve_refused_total"), 0);
  EXPECT_GT(metric(gateway_probes, "peal_bus_handshakes_failed_total"), 0);
  EXPECT_FALSE(linked(0ms));
  expect_refused_publishes();
}

TEST_F(ZmqMeeting, AWrongServerKeyIsSaidOnBothSides) {
  auto broker = keys(), gateway = keys();
  broker.allowed_keys = {gateway.public_key};
  gateway.server_key = keys().public_key;
  start_broker(broker);
  start_gateway(gateway);
  EXPECT_TRUE(says(*gateway_log, "another CURVE server key"));
  EXPECT_TRUE(says(*broker_log, "another CURVE server key"));
  EXPECT_GT(metric(broker_probes, "peal_broker_handshakes_failed_total"), 0);
  EXPECT_GT(metric(gateway_probes, "peal_bus_handshakes_failed_total"), 0);
  expect_refused_publishes();
}

TEST_F(ZmqMeeting, APeerWithoutKeysDoesNotGetIn) {
  auto broker = keys();
  broker.allowed_keys = {keys().public_key};
  start_broker(broker);
  start_gateway({});
  EXPECT_TRUE(says(*gateway_log, "the handshake failed"));
  EXPECT_GT(metric(broker_probes, "peal_broker_handshakes_failed_total"), 0);
  EXPECT_FALSE(linked(0ms));
}

TEST_F(ZmqMeeting, AnotherClusterIsSaidOnBothSides) {
  start_broker({});
  start_gateway({}, "blue");
  EXPECT_TRUE(says(*gateway_log, "cluster blue"));
  EXPECT_TRUE(says(*broker_log, "cluster blue"));
  EXPECT_GT(metric(broker_probes, "peal_broker_hellos_refused_total"), 0);
  expect_refused_publishes();
}

TEST_F(ZmqMeeting, BytesThatAreNoZmtpHarmNobody) {
  start_broker({});
  start_gateway({});
  ASSERT_TRUE(linked());
  node->watch({0, 1}, "room");
  const std::string endpoint = loop->endpoint();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const auto open_files = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto files = open_files();
  for (int i = 0; i < 50; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string noise = i % 2 == 0 ? "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                                         : std::string(300, static_cast<char>(i * 5));
    [[maybe_unused]] const auto written = write(fd, noise.data(), noise.size());
    close(fd);
  }
  // One that is taken after all of them and gets its greeting: they have been taken too. ZeroMQ
  // doesn't bear it to be stopped while it reads such bytes, so all of them end before the test
  // does.
  const int last = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(last, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  char greeting = 0;
  ASSERT_EQ(read(last, &greeting, 1), 1);
  close(last);
  EXPECT_TRUE(peal::test::eventually([&] { return open_files() <= files; }));
  EXPECT_TRUE(peal::test::eventually(
      [&] { return metric(broker_probes, "peal_broker_handshakes_failed_total") > 0; }));
  node->publish("room", "\"still here\"", 1);
  EXPECT_TRUE(node->heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  EXPECT_TRUE(linked(0ms));
}

TEST(ZmqAddresses, WhatOthersCanReachNeedsKeysOrTheWordInsecure) {
  runtime::ProbeRegistry probes;
  ZmqBusConfig config;
  config.connect = {"tcp://192.0.2.1:8422"};
  config.node = "gateway";
  const auto refused = make_zmq_bus(config, {}, {}, probes);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::config_invalid);
  EXPECT_NE(refused.error().message.find("insecure"), std::string::npos);
  config.insecure = true;
  EXPECT_TRUE(make_zmq_bus(config, {}, {}, probes).has_value());
  config.insecure = false;
  config.curve = keys();
  EXPECT_FALSE(make_zmq_bus(config, {}, {}, probes).has_value()) << "the broker's key is missing";
  config.curve.server_key = keys().public_key;
  EXPECT_TRUE(make_zmq_bus(config, {}, {}, probes).has_value());
  config.connect = {};
  EXPECT_FALSE(make_zmq_bus(config, {}, {}, probes).has_value());

  broker::BrokerLoopConfig open;
  open.listen = "tcp://0.0.0.0:0";
  open.node = "broker";
  broker::BrokerLoop loop(
      open, [](std::string_view) { return broker::ChannelOptions{}; }, {}, {}, probes);
  const auto started = loop.start();
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("bus.listen"), std::string::npos);
}

}  // namespace
}  // namespace peal::bus::test
