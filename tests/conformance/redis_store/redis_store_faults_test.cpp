// Stores of several processes that meet in a Redis which is killed, emptied, put back, moved or
// otherwise not what it was: nothing acknowledged is lost where Redis keeps it, nothing is told
// twice, and nobody is silently behind.

#include <gmock/gmock.h>

#include <filesystem>

#include "peal/redis/client.hpp"
#include "redis_groups.hpp"
#include "redis_node.hpp"
#include "redis_store/log_script.hpp"

namespace peal::broker::test {
namespace {

using peal::test::RedisCluster;
using peal::test::RedisServer;
using Status = bus::Published::Status;
using testing::HasSubstr;

RedisStoreConfig at(const RedisServer& server) {
  return {.client = {.addresses = {server.unix_address()}}};
}
RedisStoreConfig at(const RedisCluster& cluster) {
  return {.client = {.mode = "cluster", .addresses = cluster.addresses()}};
}
const std::vector<std::string> kKeepsAll = {"appendonly yes", "appendfsync always"};

std::vector<std::string> numbers(std::size_t most) {
  std::vector<std::string> all;
  for (std::size_t i = 1; i <= most; ++i)
    all.push_back(std::to_string(i));
  return all;
}

TEST(RedisStore, WhatOneProcessPublishesTheOthersHear) {
  const RedisServer server;
  RedisNode one(at(server)), two(at(server));
  ASSERT_TRUE(one.usable() && two.usable());
  ASSERT_TRUE(two.watch_and_wait("a"));
  ASSERT_TRUE(one.watch_and_wait("a"));
  for (std::uint64_t i = 1; i <= 300; ++i)
    (i % 3 == 0 ? two : one).insist("a", std::to_string(i), i);
  for (RedisNode* node : {&one, &two}) {
    EXPECT_TRUE(node->until([&] { return node->heard.size() == 300; }));
    EXPECT_EQ(node->heard, numbers(300));
    EXPECT_EQ(node->resets, 0U);
  }
  EXPECT_EQ(one.at, two.at);
}

TEST(RedisStore, WhatHasNoLogPassesThroughRedisToEveryProcess) {
  const RedisServer server;
  RedisNode one(at(server)), two(at(server));
  ASSERT_TRUE(one.usable() && two.usable());
  ASSERT_TRUE(one.watch_and_wait("passing"));
  ASSERT_TRUE(two.watch_and_wait("passing"));
  EXPECT_EQ(one.publish_and_wait("passing", "x").status, Status::ok);
  EXPECT_TRUE(one.until([&] { return one.heard.size() == 1; }));
  EXPECT_TRUE(two.until([&] { return two.heard.size() == 1; }));
  two.store->unwatch(1, std::chrono::steady_clock::now());
  EXPECT_EQ(one.publish_and_wait("passing", "y").status, Status::ok);
  EXPECT_TRUE(one.until([&] { return one.heard.size() == 2; }));
  two.turn();
  EXPECT_EQ(two.heard.size(), 1U);
  EXPECT_EQ(server.ask({"KEYS", "peal:{*"}), "") << "nothing of it is kept";
}

TEST(RedisStore, ARedisThatKeepsAllIsKilledAndNothingIsLostOrDoubled) {
  RedisServer server(kKeepsAll);
  RedisNode producer(at(server)), reader(at(server));
  ASSERT_TRUE(producer.usable() && reader.usable());
  ASSERT_TRUE(reader.watch_and_wait("a"));
  const Epoch epoch = reader.at.epoch;
  for (std::uint64_t i = 1; i <= 120; ++i) {
    if (i % 40 == 0) {
      producer.publish("a", std::to_string(i), i);  // in flight, or not
      producer.turn();
      server.kill();
      server.start();
    }
    producer.insist("a", std::to_string(i), i);
  }
  EXPECT_TRUE(reader.until([&] { return reader.heard.size() == 120; }));
  EXPECT_EQ(reader.heard, numbers(120));
  EXPECT_EQ(reader.at.epoch, epoch);
  EXPECT_EQ(reader.resets, 0U);
}

TEST(RedisStore, ARedisThatMayHaveForgottenBeginsANewEpochWithItsNewLife) {
  RedisServer server({"save 3600 1"});
  RedisNode producer(at(server)), reader(at(server));
  ASSERT_TRUE(producer.usable() && reader.usable());
  ASSERT_TRUE(reader.watch_and_wait("a"));
  producer.insist("a", "1", 1);
  ASSERT_TRUE(reader.until([&] { return reader.heard.size() == 1; }));
  EXPECT_EQ(server.ask({"SAVE"}), "OK");
  producer.insist("a", "2", 2);
  ASSERT_TRUE(reader.until([&] { return reader.heard.size() == 2; }));
  server.kill();
  server.start();
  EXPECT_TRUE(reader.until([&] { return reader.resets == 1; }));
  EXPECT_EQ(reader.at.offset, Offset{0});
  EXPECT_EQ(producer.insist("a", "3", 3).position->epoch, reader.at.epoch);
  EXPECT_TRUE(reader.until([&] { return reader.heard == std::vector<std::string>{"3"}; }));
}

// Nothing says that the file is an old one; only who watched can know.
TEST(RedisStore, AnOldFileThatComesBackEndsTheEpochOfWhatWasWatched) {
  RedisServer server(kKeepsAll);
  RedisNode reader(at(server));
  ASSERT_TRUE(reader.usable());
  ASSERT_TRUE(reader.watch_and_wait("a"));
  reader.insist("a", "1", 1);
  const auto folder = std::filesystem::path(server.folder()) / "appendonlydir";
  const auto old = std::filesystem::path(server.folder()) / "old";
  std::filesystem::copy(folder, old, std::filesystem::copy_options::recursive);
  reader.insist("a", "2", 2);
  ASSERT_TRUE(reader.until([&] { return reader.heard.size() == 2; }));
  const Epoch before = reader.at.epoch;
  server.kill();
  std::filesystem::remove_all(folder);
  std::filesystem::rename(old, folder);
  server.start();
  EXPECT_TRUE(reader.until([&] { return reader.resets == 1; }));
  EXPECT_NE(reader.at.epoch, before);
  EXPECT_EQ(reader.insist("a", "2", 2).position, (Position{reader.at.epoch, {1}}));
}

TEST(RedisStore, AfterFlushallEverybodyIsToldWithTheNextPublication) {
  const RedisServer server;
  RedisNode one(at(server)), two(at(server));
  ASSERT_TRUE(one.usable() && two.usable());
  ASSERT_TRUE(one.watch_and_wait("a"));
  ASSERT_TRUE(two.watch_and_wait("a"));
  one.insist("a", "1", 1);
  ASSERT_TRUE(two.until([&] { return two.heard.size() == 1; }));
  server.ask({"FLUSHALL"});
  one.insist("a", "2", 2);
  for (RedisNode* node : {&one, &two}) {
    EXPECT_TRUE(node->until([&] { return node->heard == std::vector<std::string>{"2"}; }));
    EXPECT_EQ(node->resets, 1U);
    EXPECT_EQ(node->at.offset, Offset{1});
  }
}

TEST(RedisStore, WhatWasPublishedWhileASubscriptionWasBrokenIsReadFromTheLog) {
  const RedisServer server;
  RedisNode one(at(server)), two(at(server));
  ASSERT_TRUE(one.usable() && two.usable());
  ASSERT_TRUE(two.watch_and_wait("a"));
  for (std::uint64_t i = 1; i <= 200; ++i) {
    one.insist("a", std::to_string(i), i);
    if (i % 50 == 10) server.ask({"CLIENT", "KILL", "TYPE", "pubsub"});
    two.turn();
  }
  EXPECT_TRUE(two.until([&] { return two.heard.size() == 200; }));
  EXPECT_EQ(two.heard, numbers(200));
  EXPECT_EQ(two.resets, 0U);
}

TEST(RedisStore, APublicationThatGotLostOnTheWayIsReadFromTheLog) {
  const RedisServer server;
  RedisNode one(at(server)), two(at(server));
  ASSERT_TRUE(one.usable() && two.usable());
  ASSERT_TRUE(two.watch_and_wait("a"));
  one.insist("a", "1", 1);
  ASSERT_TRUE(two.until([&] { return two.heard.size() == 1; }));
  server.ask({"ACL", "SETUSER", "default", "resetchannels"});  // the script may not tell any more
  const auto outcome = one.publish_and_wait("a", "2", 2);
  EXPECT_NE(outcome.status, Status::refused) << "part of the script was done";
  server.ask({"ACL", "SETUSER", "default", "allchannels"});
  ASSERT_TRUE(one.usable());
  one.insist("a", "3", 3);
  EXPECT_TRUE(two.until([&] { return two.heard.size() >= 2 && two.heard.back() == "3"; }));
  EXPECT_EQ(two.resets, 0U);
}

TEST(RedisStore, WhileRedisIsAwayPublishesAreRefusedAndWatchesToo) {
  RedisServer server(kKeepsAll);
  RedisNode node(at(server));
  ASSERT_TRUE(node.usable());
  server.kill();
  EXPECT_TRUE(node.until([&] { return !node.storage->trouble().empty(); }));
  const auto outcome = node.publish_and_wait("a", "x");
  EXPECT_EQ(outcome.status, Status::refused);
  EXPECT_EQ(outcome.error->code, ErrorCode::storage_unavailable);
  EXPECT_TRUE(node.watch_and_wait("a"));
  EXPECT_TRUE(node.refused);
  server.start();
  ASSERT_TRUE(node.usable());
  EXPECT_EQ(node.insist("a", "y", 1).position->offset, Offset{1});
}

TEST(RedisStore, OnePublishIsUnknownWhenFewerReplicasHaveItThanWanted) {
  const RedisServer server;
  RedisStoreConfig config = at(server);
  config.wait_replicas = 1;
  config.wait_timeout = std::chrono::milliseconds(50);
  RedisNode node(config);
  ASSERT_TRUE(node.usable());
  const auto outcome = node.publish_and_wait("a", "x", 1);
  EXPECT_EQ(outcome.status, Status::unknown);
  EXPECT_THAT(outcome.error->message, HasSubstr("replicas"));
  EXPECT_FALSE(outcome.position);
}

TEST(RedisStore, AFullRedisRefusesAndSaysWhatToDo) {
  const RedisServer server;
  RedisNode node(at(server));
  ASSERT_TRUE(node.usable());
  ASSERT_TRUE(node.watch_and_wait("a"));
  server.ask({"CONFIG", "SET", "maxmemory", "1"});
  const auto outcome = node.publish_and_wait("a", "x", 1);
  EXPECT_EQ(outcome.status, Status::refused);
  EXPECT_EQ(outcome.error->code, ErrorCode::storage_unavailable);
  EXPECT_THAT(outcome.error->message, HasSubstr("maxmemory"));
  server.ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(node.publish_and_wait("a", "x", 1).position->offset, Offset{1});
}

TEST(RedisStore, AScriptThatRedisHasLostIsLoadedAgain) {
  const RedisServer server;
  RedisNode node(at(server));
  ASSERT_TRUE(node.usable());
  node.insist("a", "1", 1);
  server.ask({"SCRIPT", "FLUSH"});
  EXPECT_EQ(node.insist("a", "2", 2).position->offset, Offset{2});
}

TEST(RedisStore, AnotherNumberOfPartitionsIsRefusedAndBothAreNamed) {
  const RedisServer server;
  RedisNode first(at(server));
  ASSERT_TRUE(first.usable());
  RedisStoreConfig config = at(server);
  config.partitions = 7;
  RedisNode node(config);
  EXPECT_TRUE(node.until(
      [&] { return node.storage->trouble().find("redis.partitions = 64") != std::string::npos; }));
  EXPECT_THAT(node.storage->trouble(), HasSubstr("here it is 7"));
  EXPECT_EQ(node.publish_and_wait("a", "x").status, Status::refused);
}

TEST(RedisStore, ASlotThatMovesBeginsANewEpochAndNobodyIsBehind) {
  RedisCluster cluster;
  RedisNode producer(at(cluster)), reader(at(cluster));
  ASSERT_TRUE(producer.usable() && reader.usable());
  ASSERT_TRUE(reader.watch_and_wait("a"));
  std::uint64_t said = 0;
  const auto say = [&] {
    ++said;
    return *producer.insist("a", std::to_string(said), said).position;
  };
  while (said < 50)
    say();
  ASSERT_TRUE(reader.until([&] { return reader.heard.size() == 50; }));
  const Epoch before = reader.at.epoch;
  const redis_store::KeySpace keys("peal:", RedisStoreConfig().partitions);
  const std::uint16_t slot = redis::slot_of(keys.route("a"));
  cluster.move_slot(slot, (cluster.owner(slot) + 1) % cluster.size());
  Position last;
  for (int i = 0; i < 50; ++i)
    last = say();
  EXPECT_TRUE(reader.until([&] { return reader.at == last; }));
  EXPECT_NE(reader.at.epoch, before);
  EXPECT_EQ(reader.resets, 1U);
}

/// As the server itself says.
std::uint64_t config_epoch(const RedisServer& server) {
  return std::stoull(server.info("cluster_my_epoch"));
}
std::string channel_at(const RedisCluster& cluster, std::size_t server) {
  const redis_store::KeySpace keys("peal:", RedisStoreConfig().partitions);
  std::string name = "a";
  while (cluster.owner(redis::slot_of(keys.route(name))) != server)
    name += 'a';
  return name;
}

// Taking a slot over raises the config epoch of a master that goes on as before.
TEST(RedisStore, AMasterThatTakesASlotOverEndsNoEpochOfWhatItHadAndOneOfWhatItGets) {
  RedisCluster cluster;
  std::vector<std::size_t> by_epoch{0, 1, 2};
  std::ranges::sort(by_epoch, {}, [&](std::size_t i) { return config_epoch(cluster.at(i)); });
  const std::size_t from = by_epoch[0], to = by_epoch[1];
  const std::string moves = channel_at(cluster, from), stays = channel_at(cluster, to);
  RedisNode producer(at(cluster)), moving(at(cluster)), staying(at(cluster));
  ASSERT_TRUE(producer.usable() && moving.usable() && staying.usable());
  ASSERT_TRUE(moving.watch_and_wait(moves) && staying.watch_and_wait(stays));
  Position moved, stayed;
  std::uint64_t said = 0;
  const auto say = [&] {
    ++said;
    moved = *producer.insist(moves, std::to_string(said), said).position;
    stayed = *producer.insist(stays, std::to_string(said), said).position;
  };
  while (said < 20)
    say();
  const std::uint64_t before = config_epoch(cluster.at(to));
  const redis_store::KeySpace keys("peal:", RedisStoreConfig().partitions);
  cluster.move_slot(redis::slot_of(keys.route(moves)), to);
  ASSERT_GT(config_epoch(cluster.at(to)), before);
  // Until the producer has heard of it, and a while longer.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (std::chrono::steady_clock::now() < until)
    say();
  EXPECT_TRUE(moving.until([&] { return moving.at == moved; }));
  EXPECT_TRUE(staying.until([&] { return staying.at == stayed; }));
  EXPECT_EQ(moving.resets, 1U);
  EXPECT_EQ(staying.resets, 0U);
}

TEST(RedisStore, AFailoverBySentinelBeginsANewEpochAndNobodyIsBehind) {
  peal::test::RedisSentinels group;
  const RedisStoreConfig config{.client = {.mode = "sentinel", .addresses = group.addresses()}};
  RedisNode producer(config), reader(config);
  ASSERT_TRUE(producer.usable() && reader.usable());
  ASSERT_TRUE(reader.watch_and_wait("a"));
  for (std::uint64_t i = 1; i <= 20; ++i)
    producer.insist("a", std::to_string(i), i);
  ASSERT_TRUE(reader.until([&] { return reader.heard.size() == 20; }));
  const Epoch before = reader.at.epoch;
  group.at(0).kill();
  EXPECT_TRUE(reader.until([&] { return reader.resets >= 1; }, std::chrono::seconds(60)));
  EXPECT_NE(reader.at.epoch, before);
  const auto outcome = producer.insist("a", "new", 1);
  EXPECT_EQ(outcome.position->epoch, reader.at.epoch);
  EXPECT_TRUE(reader.until([&] { return !reader.heard.empty() && reader.heard.back() == "new"; }));
}

}  // namespace
}  // namespace peal::broker::test
