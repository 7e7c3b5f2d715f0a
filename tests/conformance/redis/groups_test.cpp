// The client with a Cluster whose slots move, and with Sentinels that fail over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "client_runner.hpp"
#include "redis_groups.hpp"

namespace peal::test {
namespace {

using redis::Answer;
using redis::Outcome;

TEST(RedisClusterClient, OrderAndMessagesSurviveASlotThatMoves) {
  RedisCluster cluster;
  ClientRunner runner({.mode = "cluster",
                       .addresses = cluster.addresses(),
                       .topology_interval = std::chrono::seconds(60)});
  const std::string key = "peal:{p1}:log";
  const std::uint16_t slot = redis::slot_of(key);
  const std::size_t from = cluster.owner(slot);
  const std::size_t to = (from + 1) % cluster.size();
  runner.client->subscribe("peal:{p1}:news");
  ASSERT_TRUE(runner.connect()) << runner.client->trouble();
  EXPECT_EQ(runner.connected.size(), 3U);
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:{p1}:news"] == 1; }));

  int sent = 0;
  int done = 0;
  const auto push = [&] {
    runner.client->command({.args = {"RPUSH", key, std::to_string(sent++)}, .key = key},
                           [&](const Answer& a) {
                             EXPECT_TRUE(a.ok()) << a.error;
                             ++done;
                           });
  };
  const auto push_while = [&](int count) {
    for (int i = 0; i < count; ++i) {
      push();
      if (i % 10 == 0) runner.context.poll();
    }
  };
  push_while(500);
  cluster.begin_move(slot, to);
  push_while(100);  // served where the key still is
  cluster.move_keys(slot, to);
  push_while(500);  // by ASKING
  ASSERT_TRUE(runner.run_until([&] { return done == sent; }));
  EXPECT_EQ(runner.broken["peal:{p1}:news"], 0);
  push_while(200);
  cluster.end_move(slot, to);
  push_while(500);  // by MOVED
  ASSERT_TRUE(runner.run_until([&] { return done == sent; }));
  std::string expected;
  for (int i = 0; i < sent; ++i)
    expected += (i == 0 ? "" : "\n") + std::to_string(i);
  EXPECT_EQ(cluster.at(to).ask({"LRANGE", key, "0", "-1"}), expected);

  EXPECT_GT(runner.metric("peal_redis_redirects_total"), 0);

  // The old master ended the subscription; it is at the new one now.
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:{p1}:news"] == 2; }));
  EXPECT_EQ(runner.broken["peal:{p1}:news"], 1);
  EXPECT_EQ(runner.ask({"SPUBLISH", "peal:{p1}:news", "moved"}, key).reply.integer, 1);
  EXPECT_TRUE(runner.run_until([&] { return runner.heard("peal:{p1}:news", "moved"); }));
  // The move made the new master's epoch the highest, which is told.
  EXPECT_TRUE(runner.run_until([&] {
    return std::ranges::any_of(runner.connected, [&](const redis::Node& node) {
      return node.address == cluster.at(to).address() && node.mastership.config_epoch > 3;
    });
  }));
}

TEST(RedisClusterClient, ANodeThatIsGoneTakesOnlyItsSlotsWithIt) {
  RedisCluster cluster({.lines = {"cluster-require-full-coverage no"}});
  ClientRunner runner({.mode = "cluster", .addresses = {cluster.at(0).address()}});
  ASSERT_TRUE(runner.connect());
  const auto key_of = [&](std::size_t node) {
    for (int i = 0;; ++i) {
      std::string key = "k" + std::to_string(i);
      if (cluster.owner(redis::slot_of(key)) == node) return key;
    }
  };
  cluster.at(1).kill();
  ASSERT_TRUE(runner.run_until([&] { return runner.disconnected.size() == 1; }));
  EXPECT_THAT(runner.client->trouble(), testing::HasSubstr("slots can't be reached"));
  EXPECT_TRUE(runner.ask({"SET", key_of(0), "1"}, key_of(0)).ok());
  EXPECT_EQ(runner.ask({"SET", key_of(1), "1"}, key_of(1)).outcome, Outcome::refused);
  cluster.at(1).start();
  ASSERT_TRUE(runner.connect());
  EXPECT_TRUE(runner.ask({"SET", key_of(1), "1"}, key_of(1)).ok());
}

TEST(RedisClusterClient, FollowsAFailover) {
  RedisCluster cluster({.replicas = true});
  ClientRunner runner({.mode = "cluster", .addresses = cluster.addresses()});
  const std::string key = "peal:{p1}:log";
  const std::size_t master = cluster.owner(redis::slot_of(key));
  runner.client->subscribe("peal:{p1}:news");
  ASSERT_TRUE(runner.connect()) << runner.client->trouble();
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:{p1}:news"] == 1; }));
  EXPECT_EQ(runner.connected.size(), 3U);  // replicas are left alone
  const Answer answer = runner.ask({.args = {"SET", key, "1"},
                                    .key = key,
                                    .wait_replicas = 1,
                                    .wait_timeout = std::chrono::seconds(4)});
  EXPECT_EQ(answer.replicas, 1) << answer.error;
  cluster.at(master).kill();
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:{p1}:news"] == 2; }));
  EXPECT_EQ(runner.connected.back().address, cluster.at(3 + master).address());
  EXPECT_GT(runner.connected.back().mastership.config_epoch, 3U);
  EXPECT_EQ(runner.ask({"GET", key}, key).reply.text, "1");
  EXPECT_TRUE(runner.run_until([&] { return runner.client->trouble().empty(); }));
}

TEST(RedisSentinelClient, FollowsAFailover) {
  RedisSentinels group;
  ClientRunner runner({.mode = "sentinel", .addresses = group.addresses()});
  runner.client->subscribe("peal:news");
  ASSERT_TRUE(runner.connect()) << runner.client->trouble();
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 1; }));
  EXPECT_EQ(runner.connected.back().address, group.at(0).address());
  const redis::Mastership before = runner.connected.back().mastership;
  const Answer answer = runner.ask({.args = {"SET", "a", "1"},
                                    .wait_replicas = 1,
                                    .wait_timeout = std::chrono::milliseconds(4000)});
  EXPECT_EQ(answer.replicas, 1);

  group.at(0).kill();
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 2; }));
  EXPECT_EQ(runner.broken["peal:news"], 1);
  EXPECT_EQ(runner.connected.back().address, group.at(1).address());
  EXPECT_GT(runner.connected.back().mastership.config_epoch, before.config_epoch);
  EXPECT_EQ(runner.ask({"GET", "a"}).reply.text, "1");
}

TEST(RedisSentinelClient, LeavesAMasterThatIsOneNoMore) {
  RedisSentinels group;
  // Nobody asks in time: only what a Sentinel tells can be what is followed.
  ClientRunner runner({.mode = "sentinel",
                       .addresses = group.addresses(),
                       .topology_interval = std::chrono::hours(1)});
  runner.client->subscribe("peal:news");
  ASSERT_TRUE(runner.connect()) << runner.client->trouble();
  ASSERT_EQ(group.sentinel(0).ask({"SENTINEL", "FAILOVER", "mymaster"}), "OK");
  ASSERT_TRUE(runner.run_until([&] {
    return runner.connected.back().address == group.at(1).address() && runner.connect();
  }));
  EXPECT_EQ(runner.ask({"SET", "a", "2"}).reply.text, "OK");
  EXPECT_EQ(group.at(1).ask({"GET", "a"}), "2");
  EXPECT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] >= 2; }));
}

TEST(RedisSentinelClient, SaysWhatTheSentinelsSay) {
  RedisServer sentinel(RedisServer::Options{.sentinel = true});
  ClientRunner runner({.mode = "sentinel",
                       .addresses = {sentinel.address(), "127.0.0.1:1"},
                       .master_name = "other"});
  ASSERT_TRUE(runner.run_until([&] { return runner.capture->said("No such master"); }));
  EXPECT_THAT(runner.client->trouble(), testing::HasSubstr("127.0.0.1:1: Connection refused"));
}

}  // namespace
}  // namespace peal::test
