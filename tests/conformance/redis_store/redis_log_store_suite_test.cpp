// The Redis store answers after Redis did, and told what came on Redis's channel; its logs outlive
// it. Against one server, and against a Cluster of three.
#include "eventually.hpp"
#include "log_store_suite.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/runtime/logger.hpp"
#include "redis_groups.hpp"

namespace peal::broker::test {
namespace {

/// Each store over a client of its own; a test begins with an empty Redis.
class RedisPlace final : public LogStorePlace {
 public:
  explicit RedisPlace(redis::Config client) { config_.client = std::move(client); }

  std::unique_ptr<LogStore> make(StoreSeat seat) override {
    storage_.reset();
    storage_ = RedisStorage::open(config_, runtime::Logger(), probes_, [](TimePoint now) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(now - kBegin);
    });
    EXPECT_TRUE(peal::test::eventually([&] { return storage_->trouble().empty(); }))
        << storage_->trouble();
    return storage_->maker()(std::move(seat));
  }

 private:
  static constexpr TimePoint kBegin{std::chrono::hours(1000)};
  RedisStoreConfig config_;
  runtime::ProbeRegistry probes_;
  std::unique_ptr<RedisStorage> storage_;
};

std::unique_ptr<LogStorePlace> on_one_server() {
  static peal::test::RedisServer server;
  server.ask({"FLUSHALL"});
  return std::make_unique<RedisPlace>(redis::Config{.addresses = {server.unix_address()}});
}

std::unique_ptr<LogStorePlace> on_a_cluster() {
  static peal::test::RedisCluster cluster;
  for (std::size_t i = 0; i < cluster.size(); ++i)
    cluster.at(i).ask({"FLUSHALL"});
  return std::make_unique<RedisPlace>(
      redis::Config{.mode = "cluster", .addresses = cluster.addresses()});
}

INSTANTIATE_TEST_SUITE_P(Redis, LogStoreSuite,
                         testing::Values(LogStoreParam{"redis", true, on_one_server},
                                         LogStoreParam{"redis_cluster", true, on_a_cluster}),
                         store_name);

}  // namespace
}  // namespace peal::broker::test
