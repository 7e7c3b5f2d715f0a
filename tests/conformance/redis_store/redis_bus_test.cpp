// The embedded bus over Redis: nodes are shards of one gateway, or gateways of their own that meet
// in one server or in a Cluster.
#include <future>

#include "bus_suite.hpp"
#include "eventually.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/bus/embedded_bus.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/runtime/logger.hpp"
#include "redis_groups.hpp"

namespace peal::bus::test {
namespace {

enum class Shape : std::uint8_t { one_gateway, gateway_per_node };

class RedisDriver final : public BusDriver {
 public:
  RedisDriver(const BusDriverOptions& options, redis::Config client, Shape shape)
      : options_(options), shape_(shape) {
    config_.client = std::move(client);
  }

  void attach(std::span<const std::unique_ptr<BusNode>> nodes) override {
    nodes_ = nodes.size();
    const bool apart = shape_ == Shape::gateway_per_node;
    for (std::size_t i = 0; i < (apart ? nodes.size() : 1); ++i)
      make_gateway(apart ? 1 : nodes.size());
    std::vector<BusPort*> ports;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      ports.push_back(&buses_[apart ? i : 0]->attach(nodes[i]->sink(), *nodes[i]));
    }
    for (const auto& bus : buses_)
      ASSERT_TRUE(bus->start().has_value());
    for (std::size_t i = 0; i < nodes.size(); ++i)
      nodes[i]->start(*ports[i]);
    if (options_.handler_of) wait_until_all_are_known();
  }
  void stop() override {
    for (const auto& bus : buses_)
      bus->stop();
  }
  std::size_t buses() const override { return buses_.size(); }
  Bus& bus(std::size_t i) override { return *buses_[i]; }
  std::string channel_away_from(std::size_t node, std::string prefix) override {
    while (shape_ == Shape::one_gateway && stable_hash(prefix) % nodes_ == node)
      prefix += '_';
    return prefix;
  }

 private:
  static constexpr const char* kAnybody = "is anybody there?";
  /// Each says by itself that it is there.
  void wait_until_all_are_known() {
    ClusterQuery nothing;
    nothing.who = kAnybody;
    nothing.within = std::chrono::milliseconds(0);
    for (const auto& bus : buses_) {
      EXPECT_TRUE(peal::test::eventually([&] {
        std::promise<ClusterAnswer> promise;
        bus->ask(nothing, [&](const ClusterAnswer& answer) { promise.set_value(answer); });
        return promise.get_future().get().asked == buses_.size();
      }));
    }
  }
  void make_gateway(std::size_t shards) {
    const std::size_t number = buses_.size();
    auto& storage =
        storages_.emplace_back(broker::RedisStorage::open(config_, runtime::Logger(), probes_));
    EXPECT_TRUE(peal::test::eventually([&] { return storage->trouble().empty(); }))
        << storage->trouble();
    buses_.push_back(make_embedded_bus(
        shards, options_.options_of, options_.limits, probes_, storage->maker(),
        MeetingPlace{broker::place_of(config_),
                     storage->relay("gateway-" + std::to_string(number), options_.limits)}));
    if (!options_.handler_of) return;
    buses_.back()->answer_with(
        [handler = options_.handler_of(number)](const ClusterQuery& query, ClusterDone done) {
          query.who == kAnybody ? done({}) : handler(query, std::move(done));
        });
  }

  const BusDriverOptions options_;
  const Shape shape_;
  broker::RedisStoreConfig config_;
  std::size_t nodes_ = 1;
  runtime::ProbeRegistry probes_;
  std::vector<std::unique_ptr<broker::RedisStorage>> storages_;
  std::vector<std::unique_ptr<Bus>> buses_;
};

/// The servers stay for all tests, each of which begins with an empty Redis.
BusDriverParam on_one_server(const char* name, Shape shape) {
  return {name, [shape](const BusDriverOptions& options) {
            static peal::test::RedisServer server;
            server.ask({"FLUSHALL"});
            return std::make_unique<RedisDriver>(
                options, redis::Config{.addresses = {server.unix_address()}}, shape);
          }};
}
BusDriverParam on_a_cluster(const char* name) {
  return {name, [](const BusDriverOptions& options) {
            static peal::test::RedisCluster cluster;
            for (std::size_t i = 0; i < cluster.size(); ++i)
              cluster.at(i).ask({"FLUSHALL"});
            return std::make_unique<RedisDriver>(
                options, redis::Config{.mode = "cluster", .addresses = cluster.addresses()},
                Shape::gateway_per_node);
          }};
}

const auto kShards = on_one_server("redis_shards", Shape::one_gateway);
const auto kGateways = on_one_server("redis_gateways", Shape::gateway_per_node);
const auto kCluster = on_a_cluster("redis_cluster");

INSTANTIATE_TEST_SUITE_P(Redis, BusSuite, testing::Values(kShards, kGateways, kCluster),
                         driver_name);
// There is no link that a test could cut; see redis_store_faults_test.cpp.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LinkedBusSuite);
INSTANTIATE_TEST_SUITE_P(Redis, SharedBusSuite, testing::Values(kShards, kGateways, kCluster),
                         driver_name);

}  // namespace
}  // namespace peal::bus::test
