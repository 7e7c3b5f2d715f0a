// Cores of several processes that say in Redis who is there, while processes die, Redis loses what
// it has, and slots move: in the end everybody says the same, and nothing is left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "peal/broker/core.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/redis/client.hpp"
#include "peal/runtime/logger.hpp"
#include "recording_out.hpp"
#include "redis_groups.hpp"

namespace peal::broker::test {
namespace {

using peal::test::RedisCluster;
using peal::test::RedisServer;
using Strings = std::vector<std::string>;
using testing::Contains;

constexpr bus::Alias kRoom{0, 1};

RedisStoreConfig at(const RedisServer& server) {
  return {.client = {.addresses = {server.unix_address()}}};
}
RedisStoreConfig at(const RedisCluster& cluster) {
  return {.client = {.mode = "cluster", .addresses = cluster.addresses()}};
}

/// A process: a core and its way to Redis, with one peer. Whoever waits lets all of them turn.
class Life {
 public:
  explicit Life(const RedisStoreConfig& config, std::string room = "room")
      : room_(std::move(room)),
        storage_(RedisStorage::open(config, runtime::Logger(), probes_)),
        core_(std::make_unique<Core>(
            out,
            [](std::string_view) { return ChannelOptions{.presence = true, .occupancy = true}; },
            limits(),
            [engine = std::mt19937_64(std::random_device{}())]() mutable { return engine(); },
            StoreChoice{.make = storage_->maker()})) {
    lives.push_back(this);
    EXPECT_TRUE(until([&] { return storage_->trouble().empty(); }));
    core_->watch(1, kRoom, room_, std::chrono::steady_clock::now());
    EXPECT_TRUE(until([&] { return !out.heads.empty(); }));
  }
  ~Life() { std::erase(lives, this); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  /// In an orderly way; else it is as if it were killed.
  void stop() { core_->stop(); }
  void kill() {
    core_.reset();
    storage_.reset();
  }

  bool until(const std::function<bool()>& so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      for (const Life* const life : lives)
        if (life->core_) life->core_->turn(std::chrono::steady_clock::now());
      if (so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  void enter(std::string_view session, std::string_view user = {}) {
    core_->enter(1, kRoom, {session, user, {}});
  }
  void leave(std::string_view session) { core_->leave(1, kRoom, session); }
  void unwatch() { core_->unwatch(1, kRoom, std::chrono::steady_clock::now()); }
  bool heard(const std::string& what) {
    return until([&] { return std::ranges::find(out.story, what) != out.story.end(); });
  }
  bus::PresenceAnswer ask() {
    const std::size_t before = out.answers.size();
    core_->presence(1, {7, room_, {}, 1000});
    EXPECT_TRUE(until([&] { return out.answers.size() > before; }));
    return out.answers.back();
  }
  /// Asks until that is who is there, for sure.
  bool until_there(const Strings& sessions) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto answer = ask();
      if (!answer.error && answer.settled && out.presence_members == sessions) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(out.presence_members, sessions);
    return false;
  }

  RecordingOut out;

 private:
  static inline std::vector<Life*> lives;
  static Limits limits() {
    Limits limits;
    limits.presence_lease = std::chrono::milliseconds(2000);
    return limits;
  }
  const std::string room_;
  runtime::ProbeRegistry probes_;
  std::unique_ptr<RedisStorage> storage_;
  std::unique_ptr<Core> core_;
};

TEST(RedisPresence, WhoWasKilledLeavesWithItsLeaseAndItsChannelsAreVacated) {
  const RedisServer server;
  Life one(at(server)), two(at(server), "other");
  Life three(at(server));
  one.enter("a", "ann");
  ASSERT_TRUE(one.heard("1 join a ann"));
  three.enter("b", "bob");
  ASSERT_TRUE(one.heard("1 join b bob"));
  three.kill();
  EXPECT_TRUE(one.heard("1 leave b bob"));
  EXPECT_TRUE(one.until_there({"a ann"}));
  one.kill();
  // Who has nothing there notices, too.
  EXPECT_TRUE(two.heard(R"({"event":"vacated","channel":"room"})"));
}

TEST(RedisPresence, WhoStopsLeavesAtOnceAndNothingIsLeftBehind) {
  const RedisServer server;
  Life one(at(server));
  {
    Life two(at(server));
    two.enter("b");
    one.enter("a");
    ASSERT_TRUE(one.until_there({"a", "b"}));
    two.stop();
  }
  EXPECT_TRUE(one.heard("1 leave b"));
  for (const std::string key : {"holders", "p:room", "o:room", "n:room", "w:room"})
    EXPECT_GT(std::stol(server.ask({"PTTL", server.ask({"KEYS", "peal:{p*}:" + key})})), 0) << key;
  one.leave("a");
  one.unwatch();
  EXPECT_TRUE(one.until([&] {
    return server.ask({"KEYS", "peal:{p*"}).empty();
  })) << server.ask({"KEYS", "peal:{p*"});
}

TEST(RedisPresence, ASessionThatMovesToAnotherProcessNeitherJoinsNorLeaves) {
  const RedisServer server;
  Life one(at(server)), two(at(server)), watcher(at(server));
  watcher.enter("w");
  ASSERT_TRUE(watcher.heard("1 join w"));
  one.enter("a", "ann");
  ASSERT_TRUE(watcher.heard("1 join a ann"));
  two.enter("a", "ann");
  ASSERT_TRUE(two.until_there({"a ann", "w"}));
  one.leave("a");
  one.enter("c");
  ASSERT_TRUE(watcher.heard("1 join c"));
  EXPECT_TRUE(watcher.until_there({"a ann", "c", "w"}));
  EXPECT_THAT(watcher.out.story, testing::Not(Contains("1 leave a ann")));
}

TEST(RedisPresence, AFlushIsRepairedByTheNextBeatAndEverybodyIsToldToLookAgain) {
  const RedisServer server;
  Life one(at(server)), two(at(server));
  one.enter("a", "ann");
  two.enter("b", "ann");
  two.enter("c");
  ASSERT_TRUE(one.until_there({"a ann", "b ann", "c"}));
  one.out.story.clear();
  server.ask({"FLUSHALL"});
  EXPECT_TRUE(one.until([&] {
    two.ask();  // both live on
    return std::ranges::find(one.out.story, "1 changed") != one.out.story.end();
  }));
  EXPECT_TRUE(two.heard("1 changed"));
  EXPECT_TRUE(one.until_there({"a ann", "b ann", "c"}));
  const auto answer = two.ask();
  EXPECT_EQ(answer.sessions, 3U);
  EXPECT_EQ(answer.users, 2U);
  EXPECT_THAT(one.out.story, testing::Not(Contains("1 join b ann")));
}

TEST(RedisPresence, WhatHappensWhileRedisIsAwayIsThereAfterwards) {
  RedisServer server;
  Life one(at(server)), two(at(server));
  one.enter("a");
  one.enter("b");
  two.enter("c");
  ASSERT_TRUE(one.until_there({"a", "b", "c"}));
  server.kill();
  EXPECT_TRUE(one.until([&] { return one.ask().error.has_value(); }));
  one.leave("a");
  one.enter("d");
  server.start();
  EXPECT_TRUE(one.until([&] {
    const auto answer = two.ask();
    return !answer.error && answer.settled && two.out.presence_members == Strings{"b", "c", "d"};
  }));
  EXPECT_TRUE(one.until_there({"b", "c", "d"}));
  EXPECT_THAT(two.out.story, Contains("1 changed"));
}

TEST(RedisPresence, ASlotThatMovesWhilePeopleComeAndGoEndsWithAnExactCount) {
  RedisCluster cluster;
  Life one(at(cluster)), two(at(cluster));
  ASSERT_TRUE(one.until_there({}));
  const std::string key = cluster.at(0).ask({"KEYS", "peal:{p*}:holders"}) +
                          cluster.at(1).ask({"KEYS", "peal:{p*}:holders"}) +
                          cluster.at(2).ask({"KEYS", "peal:{p*}:holders"});
  ASSERT_NE(key, "");
  const std::uint16_t slot = redis::slot_of(key);
  const std::size_t to = (cluster.owner(slot) + 1) % 3;
  Strings there;
  const auto come = [&](int from) {
    for (int i = from; i < from + 20; ++i) {
      (i % 2 == 0 ? one : two).enter("s" + std::to_string(i));
      if (i % 3 == 0) {
        (i % 2 == 0 ? one : two).leave("s" + std::to_string(i));
      } else {
        there.push_back("s" + std::to_string(i));
      }
      one.until([] { return true; });  // a turn of both
    }
  };
  come(100);
  cluster.begin_move(slot, to);
  come(200);
  cluster.move_keys(slot, to, 3);
  come(300);
  cluster.move_keys(slot, to);
  come(400);
  cluster.end_move(slot, to);
  come(500);
  EXPECT_TRUE(one.until([&] {
    const auto answer = two.ask();
    return !answer.error && answer.settled && two.out.presence_members == there;
  })) << testing::PrintToString(two.out.presence_members);
  EXPECT_TRUE(one.until_there(there));
}

}  // namespace
}  // namespace peal::broker::test
