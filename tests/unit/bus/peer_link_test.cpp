#include "peal/bus/peer_link.hpp"

#include <gtest/gtest.h>

#include <random>

namespace peal::bus {
namespace {

using namespace std::chrono_literals;
using wire::LinkClass;

const LinkTime kStart{std::chrono::hours(1)};

wire::Hello hello(std::string node, std::string cluster = "peal") {
  Limits limits;
  limits.link_credit_bytes = 1000;
  return make_hello(std::move(cluster), std::move(node), 7, limits);
}

/// Hands a message of one link to the other.
struct Letter {
  wire::Stamp stamp;
  std::optional<wire::Hello> hello;
  std::optional<Error> refusal;
  std::uint32_t numbered = 0;
  bool operations = false;

  PeerLink::Verdict to(PeerLink& link, LinkTime now) const {
    return link.on_message({stamp, hello, refusal, numbered, operations}, now);
  }
};

Letter greeting(PeerLink& link, LinkTime now) {
  return {link.stamp({}, 0, false, now), link.me(), std::nullopt, 0, false};
}

Letter batch(PeerLink& link, std::uint32_t numbered, std::uint32_t live_bytes, LinkTime now) {
  wire::PerClass<std::uint32_t> bytes;
  bytes[LinkClass::live] = live_bytes;
  link.charge(LinkClass::live, live_bytes);
  return {link.stamp(bytes, numbered, true, now), std::nullopt, std::nullopt, numbered, true};
}

Letter beat(PeerLink& link, LinkTime now) {
  return {link.stamp({}, 0, false, now), std::nullopt, std::nullopt, 0, false};
}

class PeerLinkTest : public testing::Test {
 protected:
  LinkTime now = kStart;
  PeerLink gateway{hello("gateway"), {}, now};
  PeerLink broker{hello("broker"), {}, now};

  void link() {
    ASSERT_TRUE(greeting(gateway, now).to(broker, now).linked_now);
    ASSERT_TRUE(greeting(broker, now).to(gateway, now).linked_now);
  }
  /// Time passes in turns, so that nobody's loop stalls.
  void pass(std::chrono::milliseconds time, bool beats) {
    for (auto left = time; left > 0ms; left -= 100ms) {
      now += 100ms;
      gateway.on_turn(now);
      broker.on_turn(now);
      if (!beats) continue;
      if (gateway.heartbeat_due(now)) beat(gateway, now).to(broker, now);
      if (broker.heartbeat_due(now)) beat(broker, now).to(gateway, now);
    }
  }
};

TEST_F(PeerLinkTest, IsUpWhenBothHaveSaidHello) {
  EXPECT_FALSE(gateway.linked());
  link();
  EXPECT_TRUE(gateway.linked());
  EXPECT_TRUE(broker.linked());
  EXPECT_EQ(gateway.peer().node, "broker");
  EXPECT_EQ(broker.version(), wire::kVersionMax);
}

TEST_F(PeerLinkTest, RefusesAnotherClusterAndNamesBoth) {
  PeerLink stranger(hello("gateway", "blue"), {}, now);
  EXPECT_FALSE(greeting(stranger, now).to(broker, now).linked_now);
  EXPECT_EQ(broker.state(), PeerLink::State::ended);
  EXPECT_TRUE(broker.should_refuse());
  EXPECT_EQ(broker.why()->code, ErrorCode::cluster_mismatch);
  EXPECT_NE(broker.why()->message.find("cluster peal"), std::string::npos);
  EXPECT_NE(broker.why()->message.find("cluster blue"), std::string::npos);
}

TEST_F(PeerLinkTest, RefusesWhoMeansAnotherBrokerAndNamesAllThree) {
  wire::Hello seeker = hello("gateway");
  seeker.wanted = "elsewhere";
  wire::Hello found = hello("broker");
  found.broker = true;
  PeerLink one(seeker, {}, now);
  PeerLink other(found, {}, now);
  EXPECT_FALSE(greeting(one, now).to(other, now).linked_now);
  EXPECT_FALSE(greeting(other, now).to(one, now).linked_now);
  for (const PeerLink* refuser : {&one, &other}) {
    EXPECT_TRUE(refuser->should_refuse());
    EXPECT_EQ(refuser->why()->code, ErrorCode::members_mismatch);
    EXPECT_EQ(refuser->why()->message,
              "broker is not the broker elsewhere, which gateway was told to find there");
  }
  seeker.wanted = "broker";
  PeerLink right(seeker, {}, now);
  PeerLink meant(found, {}, now);
  EXPECT_TRUE(greeting(right, now).to(meant, now).linked_now);
  EXPECT_TRUE(greeting(meant, now).to(right, now).linked_now);
}

TEST_F(PeerLinkTest, TakesTheHighestCommonVersionAndRefusesNone) {
  wire::Hello newer = hello("gateway");
  newer.version_max = 9;
  PeerLink both(newer, {}, now);
  EXPECT_TRUE(greeting(both, now).to(broker, now).linked_now);
  EXPECT_EQ(broker.version(), wire::kVersionMax);
  newer.version_min = 8;
  PeerLink only_newer(newer, {}, now);
  PeerLink other(hello("broker"), {}, now);
  EXPECT_FALSE(greeting(only_newer, now).to(other, now).linked_now);
  EXPECT_EQ(other.why()->code, ErrorCode::version_unsupported);
  EXPECT_NE(other.why()->message.find("8-9"), std::string::npos);
}

TEST_F(PeerLinkTest, AsksForHelloWhenABatchComesWithoutOne) {
  link();
  PeerLink restarted(hello("broker"), {}, now);
  EXPECT_FALSE(batch(gateway, 1, 10, now).to(restarted, now).take);
  EXPECT_EQ(restarted.why()->code, ErrorCode::hello_required);
  Letter answer{{}, std::nullopt, restarted.why(), 0, false};
  answer.to(gateway, now);
  EXPECT_EQ(gateway.state(), PeerLink::State::ended);
  EXPECT_EQ(gateway.why()->code, ErrorCode::hello_required);
}

TEST_F(PeerLinkTest, EndsOnASecondHello) {
  link();
  greeting(gateway, now).to(broker, now);
  EXPECT_EQ(broker.state(), PeerLink::State::ended);
}

TEST_F(PeerLinkTest, LivesForEverOnHeartbeats) {
  link();
  pass(60s, true);
  EXPECT_TRUE(gateway.linked());
  EXPECT_TRUE(broker.linked());
}

TEST_F(PeerLinkTest, ASilentLinkEndsWithinFourSeconds) {
  link();
  pass(3s, false);
  EXPECT_TRUE(gateway.linked());
  pass(900ms, false);
  EXPECT_EQ(gateway.state(), PeerLink::State::ended);
  EXPECT_EQ(gateway.why()->code, ErrorCode::broker_unavailable);
  EXPECT_NE(gateway.why()->message.find("broker was silent"), std::string::npos);
}

TEST_F(PeerLinkTest, AHelloThatIsNotAnsweredEndsAsWell) {
  pass(3900ms, false);
  EXPECT_EQ(gateway.state(), PeerLink::State::ended);
}

TEST_F(PeerLinkTest, AStallOfTheOwnLoopEndsTheSessionEvenIfMessagesWait) {
  link();
  pass(1s, true);
  const Letter waiting = beat(broker, now);
  now += 5s;  // the gateway's process stood still
  gateway.on_turn(now);
  EXPECT_FALSE(waiting.to(gateway, now).take);
  EXPECT_EQ(gateway.state(), PeerLink::State::ended);
  EXPECT_NE(gateway.why()->message.find("gateway itself stood still"), std::string::npos);
}

TEST_F(PeerLinkTest, CreditRunsOutAndComesBackWithWhatIsConsumed) {
  link();
  EXPECT_TRUE(broker.has_credit(LinkClass::live));
  const Letter sent = batch(broker, 1, 1000, now);
  EXPECT_FALSE(broker.has_credit(LinkClass::live));
  EXPECT_TRUE(broker.has_credit(LinkClass::control)) << "each class has its own";
  EXPECT_TRUE(broker.has_credit(LinkClass::history));
  ASSERT_TRUE(sent.to(gateway, now).take);
  EXPECT_FALSE(gateway.report_due());
  gateway.consumed(sent.stamp.bytes);
  EXPECT_TRUE(gateway.report_due()) << "more than a fourth of the credit was consumed";
  beat(gateway, now).to(broker, now);
  EXPECT_FALSE(gateway.report_due());
  EXPECT_TRUE(broker.has_credit(LinkClass::live));
  EXPECT_EQ(broker.on_the_way(LinkClass::live), 0U);
}

TEST_F(PeerLinkTest, MessagesOnTheWayAreBounded) {
  link();
  for (std::uint64_t i = 0; i < kLinkMessagesMax; ++i) {
    ASSERT_TRUE(broker.may_send());
    ASSERT_TRUE(batch(broker, 0, 0, now).to(gateway, now).take);
  }
  EXPECT_FALSE(broker.may_send());
  gateway.consumed({});
  beat(gateway, now).to(broker, now);
  EXPECT_TRUE(broker.may_send());
}

TEST_F(PeerLinkTest, SendingFarBeyondTheCreditEndsTheLink) {
  link();
  ASSERT_TRUE(batch(broker, 1, 1500, now).to(gateway, now).take) << "one message may overshoot";
  EXPECT_FALSE(batch(broker, 1, 10, now).to(gateway, now).take);
  EXPECT_EQ(gateway.why()->code, ErrorCode::overloaded);
}

TEST_F(PeerLinkTest, AGapInLinkNumbersIsToldWithItsSize) {
  link();
  EXPECT_EQ(batch(broker, 3, 10, now).to(gateway, now).missing, 0U);
  batch(broker, 2, 10, now);  // lost
  const auto verdict = batch(broker, 1, 10, now).to(gateway, now);
  EXPECT_EQ(verdict.missing, 2U);
  EXPECT_TRUE(verdict.take);
  EXPECT_EQ(batch(broker, 1, 10, now).to(gateway, now).missing, 0U);
}

TEST_F(PeerLinkTest, AHeartbeatTellsOfALossThatNothingFollowed) {
  link();
  batch(broker, 5, 10, now);  // lost
  EXPECT_EQ(beat(broker, now).to(gateway, now).missing, 5U);
}

TEST_F(PeerLinkTest, NumbersFromThePastAndReportsOfTheFutureEndTheLink) {
  link();
  const Letter old = batch(broker, 1, 10, now);
  ASSERT_TRUE(old.to(gateway, now).take);
  EXPECT_FALSE(old.to(gateway, now).take) << "the same message twice";
  EXPECT_EQ(gateway.state(), PeerLink::State::ended);
  Letter liar = beat(gateway, now);
  liar.stamp.consumed[LinkClass::live] = 1'000'000;
  liar.to(broker, now);
  EXPECT_EQ(broker.state(), PeerLink::State::ended);
}

TEST_F(PeerLinkTest, NothingRevivesAnEndedLink) {
  link();
  gateway.end(fail(ErrorCode::broker_unavailable, "gone"));
  EXPECT_FALSE(greeting(broker, now).to(gateway, now).linked_now);
  EXPECT_FALSE(batch(broker, 1, 1, now).to(gateway, now).take);
  EXPECT_FALSE(gateway.has_credit(LinkClass::live));
  EXPECT_FALSE(gateway.may_send());
  EXPECT_EQ(gateway.why()->message, "gone");
}

// Sessions over a network that loses and reorders: what is taken never exceeds what was sent, every
// loss is told before anything after it is taken, and numbers never go back unnoticed.
TEST(PeerLinkFaults, LossAndReorderingNeverPassUnnoticed) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    LinkTime now = kStart;
    PeerLink gateway(hello("gateway"), {}, now);
    PeerLink broker(hello("broker"), {}, now);
    ASSERT_TRUE(greeting(gateway, now).to(broker, now).linked_now);
    ASSERT_TRUE(greeting(broker, now).to(gateway, now).linked_now);
    std::vector<Letter> way;
    std::uint64_t sent = 0, taken = 0, missing = 0;
    bool reordered = false;
    for (int step = 0; step < 200 && gateway.linked(); ++step) {
      if (random() % 2 == 0 && broker.has_credit(LinkClass::live) && broker.may_send()) {
        const auto numbered = static_cast<std::uint32_t>(1 + random() % 4);
        way.push_back(batch(broker, numbered, 20 * numbered, now));
        sent += numbered;
      }
      if (way.empty()) continue;
      if (random() % 10 == 0) {
        way.erase(way.begin());  // lost
        continue;
      }
      if (way.size() > 1 && random() % 50 == 0) {
        std::swap(way[0], way[1]);
        reordered = true;
      }
      const Letter letter = way.front();
      way.erase(way.begin());
      const auto verdict = letter.to(gateway, now);
      missing += verdict.missing;
      if (!verdict.take) break;
      taken += letter.numbered;
      gateway.consumed(letter.stamp.bytes);
      ASSERT_EQ(letter.stamp.number + letter.numbered - 1, taken + missing) << "seed " << seed;
      if (gateway.report_due()) beat(gateway, now).to(broker, now);
      ASSERT_LE(taken + missing, sent) << "seed " << seed;
    }
    if (!reordered && gateway.linked()) {
      missing += beat(broker, now).to(gateway, now).missing;
      std::uint64_t waiting = 0;
      for (const Letter& letter : way)
        waiting += letter.numbered;
      ASSERT_EQ(taken + missing, sent) << "seed " << seed << ", a heartbeat overtook " << waiting;
    }
  }
}

}  // namespace
}  // namespace peal::bus
