// Presence and occupancy as a core tells them: leases, the quiet time, limits.
#include <gtest/gtest.h>

#include "peal/broker/core.hpp"
#include "recording_out.hpp"

namespace peal::broker {
namespace {

using bus::Alias;
using std::chrono::milliseconds;
using Strings = std::vector<std::string>;

constexpr Alias kAlias{0, 1};
constexpr std::uint64_t kGatewayA = 0xa, kGatewayB = 0xb;

class CorePresenceTest : public testing::Test {
 protected:
  static Limits limits() {
    Limits limits;
    limits.presence_members_max = 5;
    limits.presence_lease = milliseconds(10'000);
    return limits;
  }
  static ChannelOptions options_of(std::string_view channel) {
    ChannelOptions options;
    options.presence = channel.starts_with("room");
    options.occupancy = channel.starts_with("room");
    options.recoverable = channel == "room:log";
    return options;
  }
  CorePresenceTest() : core(out, options_of, limits(), [] { return 1; }) {}

  void link(PeerId peer, std::uint64_t gateway, std::string_view channel = "room") {
    core.adopt_peer(peer, gateway, now);
    core.watch(peer, kAlias, channel, now);
    out.story.clear();
  }
  void enter(PeerId peer, std::string_view session, std::string_view user,
             std::string_view data = {}) {
    core.enter(peer, kAlias, {session, user, data});
  }
  void leave(PeerId peer, std::string_view session) { core.leave(peer, kAlias, session); }
  void lose(PeerId peer) {
    core.expire(now);
    while (core.drop_peer(peer)) {
    }
  }
  void pass(milliseconds time) {
    now += time;
    while (core.expire(now)) {
    }
  }
  bus::PresenceAnswer ask(std::size_t limit = 100, std::string_view after = {},
                          std::string_view channel = "room") {
    core.presence(1, {7, channel, after, limit});
    const auto answer = out.answers.back();
    out.story.pop_back();
    return answer;
  }
  Strings told() { return std::exchange(out.story, {}); }

  test::RecordingOut out;
  TimePoint now{};
  Core core;
};

TEST_F(CorePresenceTest, TheFirstSessionOfAUserJoinsAndTheLastOneLeaves) {
  link(1, kGatewayA);
  link(2, kGatewayB);
  enter(1, "a1", "ann", "{}");
  EXPECT_EQ(told(), (Strings{"1 join a1 ann {}"}));
  enter(2, "b1", "ann");
  EXPECT_EQ(told(), Strings{});
  leave(1, "a1");
  EXPECT_EQ(told(), Strings{});
  leave(2, "b1");
  EXPECT_EQ(told(), Strings{}) << "who would hear it has left with it";
  enter(1, "a2", "bob");
  enter(2, "b2", "");
  enter(2, "b3", "");
  leave(2, "b2");
  leave(1, "a2");
  EXPECT_EQ(told(), (Strings{"1 join a2 bob", "1 join b2", "2 join b2", "1 join b3", "2 join b3",
                             "1 leave b2", "2 leave b2", "2 leave a2 bob"}));
}

TEST_F(CorePresenceTest, CountsAreExactAndPagesComeInSessionOrder) {
  link(1, kGatewayA);
  for (const char* session : {"d", "a", "c", "b"})
    enter(1, session, session < std::string("c") ? "ann" : "");
  const auto first = ask(3);
  EXPECT_EQ(out.presence_members, (Strings{"a ann", "b ann", "c"}));
  EXPECT_EQ(first.sessions, 4U);
  EXPECT_EQ(first.users, 3U);
  EXPECT_TRUE(first.more);
  const auto second = ask(3, "c");
  EXPECT_EQ(out.presence_members, (Strings{"d"}));
  EXPECT_FALSE(second.more);
  const auto counts = ask(0);
  EXPECT_TRUE(out.presence_members.empty());
  EXPECT_EQ(counts.sessions, 4U);
  EXPECT_FALSE(counts.more);
}

TEST_F(CorePresenceTest, EnteringAgainReplacesTheDataAndTellsNobody) {
  link(1, kGatewayA);
  enter(1, "a", "ann", "1");
  told();
  enter(1, "a", "ann", "2");
  EXPECT_EQ(told(), Strings{});
  ask();
  EXPECT_EQ(out.presence_members, (Strings{"a ann 2"}));
}

TEST_F(CorePresenceTest, AGatewayThatComesBackWithinItsLeaseIsNotNoticed) {
  link(1, kGatewayA);
  link(2, kGatewayB);
  enter(1, "a1", "ann");
  enter(2, "b1", "bob");
  enter(2, "b2", "");
  told();
  lose(2);
  pass(milliseconds(5000));
  link(3, kGatewayB);
  core.enter(3, kAlias, {"b1", "bob", {}});
  EXPECT_EQ(told(), Strings{});
  pass(milliseconds(9000));
  EXPECT_EQ(told(), Strings{}) << "one lease is counted from the coming back";
  pass(milliseconds(1001));
  EXPECT_EQ(told(), (Strings{"1 leave b2", "3 leave b2"})) << "what was not entered again leaves";
  leave(1, "a1");
  EXPECT_EQ(told(), (Strings{"3 leave a1 ann"}));
}

TEST_F(CorePresenceTest, ANewLinkMayComeBeforeTheOldOnesEnd) {
  link(1, kGatewayA);
  enter(1, "a", "ann");
  link(2, kGatewayA);
  lose(1);
  core.enter(2, kAlias, {"a", "ann", {}});
  pass(milliseconds(60'000));
  EXPECT_EQ(told(), Strings{});
  EXPECT_EQ(ask().sessions, 1U);
}

TEST_F(CorePresenceTest, AGatewayThatStaysAwayLeavesWithItsLease) {
  link(1, kGatewayA);
  link(2, kGatewayB);
  enter(1, "a", "ann");
  enter(2, "b", "bob");
  told();
  lose(2);
  pass(milliseconds(9999));
  EXPECT_EQ(told(), Strings{});
  EXPECT_EQ(ask().sessions, 2U);
  pass(milliseconds(1));
  EXPECT_EQ(told(), (Strings{"1 leave b bob"}));
  EXPECT_EQ(ask().sessions, 1U);
}

TEST_F(CorePresenceTest, APeerThatNamedNoIncarnationLeavesAtOnce) {
  core.watch(1, kAlias, "room", now);
  core.watch(2, kAlias, "room", now);
  enter(1, "a", "");
  enter(2, "b", "");
  told();
  lose(2);
  pass(milliseconds(0));
  EXPECT_EQ(told(), (Strings{"1 leave b"}));
}

TEST_F(CorePresenceTest, UnwatchingLeavesForWhoIsStillThere) {
  link(1, kGatewayA);
  link(2, kGatewayB);
  core.watch(2, {1, 1}, "room", now);  // another shard of that gateway
  enter(1, "a", "");
  enter(2, "b", "");
  core.enter(2, {1, 1}, {"c", "", {}});
  told();
  core.unwatch(2, kAlias, now);
  EXPECT_EQ(told(), (Strings{"1 leave b", "2 leave b"}));
  EXPECT_EQ(ask().sessions, 2U);
}

TEST_F(CorePresenceTest, ACoreThatStartsSaysNothingForOneLeaseAndThenToLookAgain) {
  core.start_quiet(now);
  link(1, kGatewayA);
  link(2, kGatewayB);
  enter(1, "a", "ann");
  enter(2, "b", "bob");
  leave(2, "b");
  enter(2, "c", "");
  EXPECT_FALSE(ask().settled);
  pass(milliseconds(9999));
  EXPECT_EQ(told(), Strings{});
  pass(milliseconds(1));
  EXPECT_EQ(told(), (Strings{"1 changed", "2 changed", R"({"event":"reset"})",
                             R"({"event":"occupied","channel":"room"})"}));
  EXPECT_TRUE(ask().settled);
  enter(1, "d", "");
  EXPECT_EQ(told(), (Strings{"1 join d", "2 join d"}));
}

TEST_F(CorePresenceTest, TheDigestIsWhatJoinsAndLeavesMakeOfIt) {
  link(1, kGatewayA);
  const auto none = ask().digest;
  enter(1, "a", "ann");
  EXPECT_EQ(ask().digest, none ^ bus::presence_key({"a", "ann", {}}));
  enter(1, "b", "ann");
  EXPECT_EQ(ask().digest, bus::presence_key({"x", "ann", {}}));
  leave(1, "a");
  leave(1, "b");
  EXPECT_EQ(ask().digest, none);
}

TEST_F(CorePresenceTest, WhatIsOverALimitIsRefusedAndSaid) {
  link(1, kGatewayA);
  enter(1, "a", "", std::string(1025, '1'));
  EXPECT_EQ(told(), (Strings{"1 refused a"}));
  for (const char* session : {"a", "b", "c", "d", "e"})
    enter(1, session, "");
  told();
  enter(1, "f", "");
  EXPECT_EQ(told(), (Strings{"1 refused f"}));
  EXPECT_EQ(test::NumbersSink(core.probe())["peal_core_presence_members"], 5);
  EXPECT_EQ(test::NumbersSink(core.probe())["peal_core_presence_refused_total"], 2);
}

TEST_F(CorePresenceTest, WithoutARuleNobodyIsKept) {
  link(1, kGatewayA, "hall");
  enter(1, "a", "");
  EXPECT_EQ(told(), (Strings{"1 refused a"}));
  EXPECT_EQ(ask(1, {}, "hall").error->code, ErrorCode::permission_denied);
  EXPECT_EQ(ask(1, {}, "").error->code, ErrorCode::channel_name_invalid);
  core.enter(1, {9, 9}, {"b", "", {}});
  EXPECT_EQ(told(), Strings{}) << "nothing is watched under that alias";
}

TEST_F(CorePresenceTest, AllCountsReturnToNothing) {
  link(1, kGatewayA);
  enter(1, "a", "ann");
  enter(1, "b", "");
  leave(1, "a");
  leave(1, "b");
  EXPECT_EQ(test::NumbersSink(core.probe())["peal_core_presence_members"], 0);
  EXPECT_EQ(test::NumbersSink(core.probe())["peal_core_presence_channels"], 0);
}

TEST_F(CorePresenceTest, OccupiedComesWithTheFirstWatchAndVacatedAfterTheLast) {
  core.adopt_peer(1, kGatewayA, now);
  core.adopt_peer(2, kGatewayB, now);
  core.watch(1, kAlias, "room:log", now);
  EXPECT_EQ(told(), (Strings{R"({"event":"occupied","channel":"room:log"})", "head 1"}));
  core.watch(2, kAlias, "room:log", now);
  core.unwatch(1, kAlias, now);
  EXPECT_EQ(told(), (Strings{"head 2"}));
  core.unwatch(2, kAlias, now);
  EXPECT_EQ(told(), (Strings{R"({"event":"vacated","channel":"room:log"})"}));
  core.watch(1, kAlias, "hall", now);
  core.unwatch(1, kAlias, now);
  EXPECT_EQ(told(), (Strings{"head 1"})) << "no rule says occupancy";
}

TEST_F(CorePresenceTest, AReconnectVacatesNothingAndALeaseThatIsOverDoes) {
  link(1, kGatewayA);
  lose(1);
  pass(milliseconds(5000));
  link(2, kGatewayA);
  pass(milliseconds(60'000));
  EXPECT_EQ(told(), Strings{});
  lose(2);
  pass(milliseconds(9999));
  EXPECT_EQ(told(), Strings{});
  pass(milliseconds(1));
  EXPECT_EQ(told(), (Strings{R"({"event":"vacated","channel":"room"})"}));
}

}  // namespace
}  // namespace peal::broker
