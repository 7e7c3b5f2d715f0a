// That the servers the other tests stand on do what they are asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "peal/redis/client.hpp"
#include "redis_groups.hpp"

namespace peal::test {
namespace {

using testing::StartsWith;

TEST(RedisServers, OneIsKilledAndComesBackWithItsFile) {
  RedisServer server({"appendonly yes", "appendfsync always"});
  EXPECT_EQ(server.ask({"SET", "a", "1"}), "OK");
  server.kill();
  EXPECT_EQ(server.ask({"GET", "a"}), "(no connection)");
  server.start();
  EXPECT_EQ(server.ask({"GET", "a"}), "1");
  EXPECT_EQ(server.info("aof_enabled"), "1");
}

TEST(RedisServers, AClusterMovesASlot) {
  RedisCluster cluster;
  const std::uint16_t slot = redis::slot_of("{a}key");
  const std::size_t from = cluster.owner(slot);
  const std::size_t to = (from + 1) % cluster.size();
  EXPECT_EQ(cluster.at(from).ask({"SET", "{a}key", "1"}), "OK");
  EXPECT_THAT(cluster.at(to).ask({"GET", "{a}key"}), StartsWith("-MOVED " + std::to_string(slot)));
  cluster.move_slot(slot, to);
  EXPECT_EQ(cluster.at(to).ask({"GET", "{a}key"}), "1");
  EXPECT_THAT(cluster.at(from).ask({"GET", "{a}key"}), StartsWith("-MOVED"));
}

}  // namespace
}  // namespace peal::test
