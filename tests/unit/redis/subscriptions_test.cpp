#include "redis/subscriptions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "peal/redis/client.hpp"

namespace peal::redis {
namespace {

using testing::ElementsAre;
using Kind = Verdict::Kind;

/// Writes down what is said to links, as "1 SUBSCRIBE a", and what the owner is told: "+a"
/// subscribed,
/// "-a" broken, "a=x" a message;
/// "++a", "--a" and "a*: ab=x" of topics.
struct Wire {
  explicit Wire(bool sharded) {
    subscriptions = std::make_unique<Subscriptions>(
        sharded,
        Subscriptions::Actions{
            .home = [this](std::uint16_t slot) { return homes.contains(slot) ? homes[slot] : all; },
            .homes = [this] { return listening; },
            .say =
                [this](Subscriptions::LinkId link, const std::vector<std::string>& args) {
                  seen.push_back(std::to_string(link) + " " + args[0] + " " + args[1]);
                },
            .subscribed = [this](std::string_view c) { seen.push_back("+" + std::string(c)); },
            .broken =
                [this](std::string_view c) {
                  seen.push_back("-" + std::string(c));
                  if (on_broken) on_broken();
                },
            .message =
                [this](std::string_view c, std::string_view p) {
                  seen.push_back(std::string(c) + "=" + std::string(p));
                },
            .listening = [this](const Topic& t) { seen.push_back("++" + t.name); },
            .deaf = [this](const Topic& t) { seen.push_back("--" + t.name); },
            .heard =
                [this](const Topic& t, std::string_view c, std::string_view p) {
                  seen.push_back(t.name + ": " + std::string(c) + "=" + std::string(p));
                }});
  }
  Subscriptions* operator->() { return subscriptions.get(); }

  Kind push(Subscriptions::LinkId link, std::vector<std::string> words) {
    Reply reply{.type = Reply::Type::array};
    for (std::string& word : words) {
      reply.elements.push_back({.type = Reply::Type::text, .text = std::move(word)});
    }
    return subscriptions->on_push(link, reply, "h").kind;
  }
  Verdict error(Subscriptions::LinkId link, std::string text) {
    return subscriptions->on_push(link, {.type = Reply::Type::error, .text = std::move(text)}, "h");
  }
  std::vector<std::string> take() { return std::exchange(seen, {}); }

  Subscriptions::LinkId all = 1;
  std::vector<Subscriptions::LinkId> listening{};
  std::map<std::uint16_t, Subscriptions::LinkId> homes{};
  std::vector<std::string> seen{};
  std::function<void()> on_broken{};
  std::unique_ptr<Subscriptions> subscriptions{};
};

TEST(RedisSubscriptions, DeliverOnlyBetweenConfirmationAndBreak) {
  Wire wire(false);
  wire->subscribe("a");
  wire->subscribe("a");
  wire.push(1, {"message", "a", "early"});
  wire.push(1, {"subscribe", "a", "1"});
  wire.push(1, {"message", "a", "x"});
  wire.push(1, {"message", "b", "not ours"});
  EXPECT_THAT(wire.take(), ElementsAre("1 SUBSCRIBE a", "+a", "a=x"));
  wire.all = 0;
  wire->on_deaf(1);
  wire.push(1, {"message", "a", "late"});
  wire->rehome();
  EXPECT_THAT(wire.take(), ElementsAre("-a"));
  wire.all = 2;
  wire->rehome();
  wire->rehome();
  wire.push(2, {"subscribe", "a", "1"});
  EXPECT_THAT(wire.take(), ElementsAre("2 SUBSCRIBE a", "+a"));
}

TEST(RedisSubscriptions, OnlyTheAnswerToTheLatestSubscribeCounts) {
  Wire wire(false);
  wire->subscribe("a");
  wire->unsubscribe("a");
  wire->subscribe("a");
  wire.take();
  wire.push(1, {"subscribe", "a", "1"});
  wire.push(1, {"message", "a", "of the first"});
  wire.push(1, {"unsubscribe", "a", "0"});
  EXPECT_THAT(wire.take(), ElementsAre());
  wire.push(1, {"subscribe", "a", "1"});
  EXPECT_THAT(wire.take(), ElementsAre("+a"));
  wire->unsubscribe("a");
  wire.push(1, {"message", "a", "too late"});
  EXPECT_THAT(wire.take(), ElementsAre("1 UNSUBSCRIBE a"));
  EXPECT_EQ(wire->size(), 0U);
}

TEST(RedisSubscriptions, FollowASlotThatMoves) {
  Wire wire(true);
  wire->subscribe("a");
  wire.push(1, {"ssubscribe", "a", "1"});
  wire.take();
  EXPECT_EQ(wire.push(1, {"sunsubscribe", "a", "0"}), Kind::again);
  EXPECT_THAT(wire.take(), ElementsAre("-a"));
  wire->rehome();  // the topology is not known better yet
  const Verdict verdict = wire.error(1, "MOVED " + std::to_string(slot_of("a")) + " b:2");
  EXPECT_EQ(verdict.kind, Kind::moved);
  EXPECT_EQ(verdict.endpoint, "b:2");
  wire.homes[slot_of("a")] = 2;
  wire->rehome();
  wire.push(2, {"ssubscribe", "a", "1"});
  wire.push(2, {"smessage", "a", "x"});
  EXPECT_THAT(wire.take(), ElementsAre("1 SSUBSCRIBE a", "2 SSUBSCRIBE a", "+a", "a=x"));
}

TEST(RedisSubscriptions, LeaveAMasterThatTheTopologyNamesNoMore) {
  Wire wire(true);
  wire->subscribe("a");
  wire.push(1, {"ssubscribe", "a", "1"});
  wire.take();
  wire.homes[slot_of("a")] = 2;
  wire->rehome();
  EXPECT_THAT(wire.take(), ElementsAre("1 SUNSUBSCRIBE a", "-a", "2 SSUBSCRIBE a"));
  EXPECT_EQ(wire.push(1, {"sunsubscribe", "a", "0"}), Kind::replied);
  wire.push(2, {"ssubscribe", "a", "1"});
  EXPECT_THAT(wire.take(), ElementsAre("+a"));
}

TEST(RedisSubscriptions, TheOwnerMayChangeThemWhileItIsTold) {
  Wire wire(false);
  for (const char* channel : {"a", "b", "c"}) {
    wire->subscribe(channel);
    wire.push(1, {"subscribe", channel, "1"});
  }
  wire.on_broken = [&] {
    for (const char* channel : {"a", "b", "c"})
      wire->unsubscribe(channel);
    wire->subscribe("d");
  };
  wire.all = 0;
  wire->on_deaf(1);
  EXPECT_EQ(wire->size(), 1U);
  EXPECT_FALSE(wire->subscribed("d"));
}

TEST(RedisSubscriptions, WhatIsNoPushIsNotUnderstood) {
  Wire wire(false);
  EXPECT_EQ(wire.push(1, {"hello", "a", "b"}), Kind::failed);
  EXPECT_EQ(wire.push(1, {"message", "a"}), Kind::failed);
  EXPECT_EQ(wire.error(1, "ERR out of the blue").kind, Kind::failed);
  wire->subscribe("a");
  EXPECT_EQ(wire.error(1, "NOPERM no").kind, Kind::refused);
}

TEST(RedisTopics, AreHeardAtOneMasterOfACluster) {
  Wire wire(true);
  wire->listen({.name = "news"});
  wire->listen({.name = "n*", .pattern = true});
  wire->listen({.name = "n*", .pattern = true});
  EXPECT_THAT(wire.take(), ElementsAre("1 SUBSCRIBE news", "1 PSUBSCRIBE n*"));
  wire.push(1, {"message", "news", "early"});
  wire.push(1, {"subscribe", "news", "1"});
  wire.push(1, {"message", "news", "a"});
  wire.push(1, {"psubscribe", "n*", "2"});
  wire.push(1, {"message", "news", "b"});
  wire.push(1, {"pmessage", "n*", "news", "b"});
  wire.push(2, {"pmessage", "n*", "news", "somebody else's"});
  EXPECT_THAT(wire.take(),
              ElementsAre("++news", "news: news=a", "++n*", "news: news=b", "n*: news=b"));
  wire.all = 2;
  wire->rehome();
  EXPECT_THAT(wire.take(), ElementsAre("1 PUNSUBSCRIBE n*", "--n*", "2 PSUBSCRIBE n*",
                                       "1 UNSUBSCRIBE news", "--news", "2 SUBSCRIBE news"));
  EXPECT_EQ(wire.push(1, {"punsubscribe", "n*", "1"}), Kind::replied);
  EXPECT_EQ(wire.push(1, {"unsubscribe", "news", "0"}), Kind::replied);
  wire.push(2, {"psubscribe", "n*", "1"});
  wire.push(2, {"subscribe", "news", "1"});
  wire.all = 0;
  wire->on_deaf(2);
  EXPECT_THAT(wire.take(), ElementsAre("++n*", "++news", "--n*", "--news"));
}

TEST(RedisTopics, SaidEverywhereAreHeardAtEachMaster) {
  Wire wire(true);
  wire.listening = {1, 2};
  wire->listen({.name = "k*", .pattern = true, .everywhere = true});
  EXPECT_THAT(wire.take(), ElementsAre("1 PSUBSCRIBE k*", "2 PSUBSCRIBE k*"));
  wire.push(1, {"psubscribe", "k*", "1"});
  wire.push(2, {"psubscribe", "k*", "1"});
  wire.push(2, {"pmessage", "k*", "k1", "set"});
  EXPECT_THAT(wire.take(), ElementsAre("++k*", "++k*", "k*: k1=set"));
  wire.listening = {2, 3};
  wire->on_deaf(1);
  wire->rehome();
  wire.push(1, {"pmessage", "k*", "k1", "late"});
  EXPECT_THAT(wire.take(), ElementsAre("--k*", "3 PSUBSCRIBE k*"));
}

TEST(RedisTopics, ThatAreRefusedAreAskedForAgainAndTakeNobodysPlace) {
  Wire wire(false);
  wire->subscribe("a");
  wire->listen({.name = "n*", .pattern = true});
  wire->subscribe("b");
  wire.push(1, {"subscribe", "a", "1"});
  EXPECT_EQ(wire.error(1, "NOPERM this user has no permissions").kind, Kind::refused);
  wire.push(1, {"subscribe", "b", "2"});
  EXPECT_THAT(wire.take(),
              ElementsAre("1 SUBSCRIBE a", "1 PSUBSCRIBE n*", "1 SUBSCRIBE b", "+a", "+b"));
  wire->rehome();
  EXPECT_THAT(wire.take(), ElementsAre("1 PSUBSCRIBE n*"));
}

TEST(RedisTopics, MayHaveTheNameOfAChannel) {
  Wire wire(false);
  wire->subscribe("a");
  wire->listen({.name = "a"});
  wire.push(1, {"subscribe", "a", "1"});
  wire.push(1, {"subscribe", "a", "1"});
  wire.push(1, {"message", "a", "x"});
  EXPECT_THAT(wire.take(),
              ElementsAre("1 SUBSCRIBE a", "1 SUBSCRIBE a", "+a", "++a", "a: a=x", "a=x"));
}

}  // namespace
}  // namespace peal::redis
