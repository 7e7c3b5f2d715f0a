// The part of the suite about who is there. Channels that begin with "room:" keep presence and say
// when they are occupied. A broker that has just started is quiet for one lease; the tests wait for
// the end of it.
#include <algorithm>

#include "bus_suite.hpp"

namespace peal::bus::test {
namespace {

using std::chrono::milliseconds;
using Strings = std::vector<std::string>;

constexpr Alias kRoom{0, 1};

Limits short_lease(milliseconds lease = milliseconds(300)) {
  Limits limits;
  limits.presence_lease = lease;
  return limits;
}
constexpr milliseconds kTimeToComeBack{2000};  // on a busy machine too

void enter(BusNode& node, std::string_view session, std::string_view user = {},
           std::string_view data = {}) {
  node.with([&](BusPort& port, auto&) { port.enter(kRoom, {session, user, data}); });
}

void leave(BusNode& node, std::string_view session) {
  node.with([&](BusPort& port, auto&) { port.leave(kRoom, session); });
}

struct Asked {
  PresenceAnswer answer;
  Strings members;
};

Asked ask(BusNode& node, std::string_view room, std::size_t limit = 100,
          std::string_view after = {}) {
  RequestId id = 0;
  node.with([&](BusPort& port, RecordingSink& sink) {
    id = sink.presence.size() + 1;
    port.presence({id, room, after, limit});
  });
  Asked found;
  EXPECT_TRUE(node.heard([&](const RecordingSink& sink) {
    const auto answer = std::ranges::find(sink.presence, id, &PresenceAnswer::id);
    if (answer == sink.presence.end()) return false;
    found.answer = *answer;
    found.members = sink.presence_members[static_cast<std::size_t>(answer - sink.presence.begin())];
    return true;
  }));
  return found;
}

void wait_until_settled(BusNode& node, std::string_view room) {
  while (!ask(node, room, 0).answer.settled && !testing::Test::HasFailure()) {
  }
}

/// What came and went since the node heard of that many things; exactly this, in this order.
void expect_heard(BusNode& node, const Strings& wanted) {
  EXPECT_TRUE(node.heard(
      [&](const RecordingSink& sink) { return sink.came_and_went.size() >= wanted.size(); }));
  node.with([&](auto&, const RecordingSink& sink) { EXPECT_EQ(sink.came_and_went, wanted); });
}

void expect_told_to_look_again(BusNode& node) {
  EXPECT_TRUE(node.heard([](const RecordingSink& sink) {
    return std::ranges::find(sink.came_and_went, "changed ") != sink.came_and_went.end();
  }));
}

TEST_P(SharedBusSuite, WhoIsThereHearsWhoComesAndGoesOncePerUser) {
  start(2, short_lease());
  watch_and_wait(0, kRoom, "room:1");
  watch_and_wait(1, kRoom, "room:1");
  wait_until_settled(node(0), "room:1");
  enter(node(0), "a", "ann", "{}");
  expect_heard(node(0), {"join a ann {}"});
  enter(node(1), "b", "bob", "[1]");
  expect_heard(node(0), {"join a ann {}", "join b bob [1]"});
  enter(node(1), "c", "ann");
  enter(node(1), "d");
  expect_heard(node(1), {"join b bob [1]", "join d"});
  expect_heard(node(0), {"join a ann {}", "join b bob [1]", "join d"});
  leave(node(0), "a");
  ask(node(0), "room:1");  // two nodes have no order between them but this
  leave(node(1), "b");
  leave(node(1), "c");
  ask(node(1), "room:1");  // its last member's leaving ends what it hears, at once
  leave(node(1), "d");
  ask(node(1), "room:1");
  expect_heard(node(1), {"join b bob [1]", "join d", "leave b bob [1]", "leave c ann"});
  expect_heard(node(0), {"join a ann {}", "join b bob [1]", "join d"});
}

TEST_P(SharedBusSuite, AnswersArePagesAndCountsAreExact) {
  start(2, short_lease());
  watch_and_wait(0, kRoom, "room:2");
  watch_and_wait(1, kRoom, "room:2");
  for (const char* session : {"c", "a", "d"})
    enter(node(0), session, "ann");
  ask(node(0), "room:2");  // now they are in
  enter(node(1), "b", "", R"({"mood":"fine"})");
  const auto first = ask(node(1), "room:2", 3);
  EXPECT_EQ(first.members, (Strings{"a ann", R"(b {"mood":"fine"})", "c ann"}));
  EXPECT_TRUE(first.answer.more);
  EXPECT_EQ(first.answer.sessions, 4U);
  EXPECT_EQ(first.answer.users, 2U);
  const auto second = ask(node(1), "room:2", 3, "c");
  EXPECT_EQ(second.members, Strings{"d ann"});
  EXPECT_FALSE(second.answer.more);
  EXPECT_EQ(ask(node(1), "room:2", 0).members, Strings{});
  EXPECT_EQ(ask(node(1), "room:nobody").answer.sessions, 0U);
  EXPECT_EQ(ask(node(0), "hall").answer.error->code, ErrorCode::permission_denied);
}

TEST_P(SharedBusSuite, APortWithoutMembersHearsNobodyAndUnwatchingLeaves) {
  start(2, short_lease());
  watch_and_wait(0, kRoom, "room:3");
  watch_and_wait(1, kRoom, "room:3");
  wait_until_settled(node(0), "room:3");
  enter(node(0), "a");
  enter(node(0), "b");
  expect_heard(node(0), {"join a", "join b"});
  EXPECT_EQ(ask(node(1), "room:3").answer.sessions, 2U);
  expect_heard(node(1), {});
  enter(node(1), "c");
  expect_heard(node(0), {"join a", "join b", "join c"});
  node(1).unwatch(kRoom);
  expect_heard(node(0), {"join a", "join b", "join c", "leave c"});
}

TEST_P(SharedBusSuite, AMemberThatCantBeKeptIsRefused) {
  start(1, short_lease());
  watch_and_wait(0, kRoom, "hall");
  enter(node(0), "a");
  expect_heard(node(0), {"refused a"});
}

TEST_P(SharedBusSuite, BackendsHearOfOccupiedAndVacatedChannels) {
  constexpr Alias kEvents{5, 1};
  start(2, short_lease());
  watch_and_wait(1, kEvents, broker::kOccupancyChannel);
  wait_until_settled(node(0), "room:4");
  const auto heard = [&](const std::string& event) {
    return node(1).heard([&](const RecordingSink& sink) {
      return std::ranges::any_of(sink.heard, [&](const auto& heard_of) {
        return heard_of.publication.payload.starts_with(event);
      });
    });
  };
  // Behind a settled answer a reset may still come (of several brokers, from each), but nothing of
  // what was before.
  watch_and_wait(0, kRoom, "room:4");
  EXPECT_TRUE(heard(R"({"event":"occupied","channel":"room:4")"));
  node(0).unwatch(kRoom);
  EXPECT_TRUE(heard(R"({"event":"vacated","channel":"room:4")"));
}

TEST_P(LinkedBusSuite, AnotherBrokerIsQuietForALeaseAndThenSaysToLookAgain) {
  start(2, short_lease(kTimeToComeBack));
  for (std::size_t i = 0; i < 2; ++i)
    watch_and_wait(i, kRoom, "room:5");
  wait_until_settled(node(0), "room:5");
  enter(node(0), "a", "ann");
  expect_heard(node(0), {"join a ann"});
  enter(node(1), "b", "bob");
  expect_heard(node(1), {"join b bob"});
  const std::size_t answers =
      node(0).with([](auto&, RecordingSink& sink) { return sink.heads.size(); });
  driver().cut();
  ASSERT_TRUE(wait_for_link(0, false));
  ASSERT_TRUE(wait_for_link(1, false));
  driver().heal();
  for (std::size_t i = 0; i < 2; ++i)
    ASSERT_TRUE(
        node(i).heard([&](const RecordingSink& sink) { return sink.heads.size() > answers; }));
  enter(node(0), "a", "ann");
  enter(node(1), "b", "bob");
  if (driver().others_take_over()) {
    // The channel may move once more, and then all enter again.
    while (ask(node(0), "room:5").members != (Strings{"a ann", "b bob"}) && !HasFailure()) {
      enter(node(0), "a", "ann");
      enter(node(1), "b", "bob");
    }
    return expect_told_to_look_again(node(0));
  }
  expect_heard(node(0), {"join a ann", "join b bob", "changed "});
  expect_heard(node(1), {"join b bob", "changed "});
  EXPECT_EQ(ask(node(0), "room:5").members, (Strings{"a ann", "b bob"}));
  enter(node(0), "c");
  expect_heard(node(1), {"join b bob", "changed ", "join c"});
}

TEST_P(LinkedBusSuite, ALinkThatComesBackWithinTheLeaseIsNotNoticed) {
  start(2, short_lease(kTimeToComeBack));
  for (std::size_t i = 0; i < 2; ++i)
    watch_and_wait(i, kRoom, "room:6");
  wait_until_settled(node(0), "room:6");
  enter(node(0), "a", "ann");
  enter(node(0), "b");
  expect_heard(node(0), {"join a ann", "join b"});
  const std::size_t answers =
      node(0).with([](auto&, RecordingSink& sink) { return sink.heads.size(); });
  driver().freeze();
  ASSERT_TRUE(wait_for_link(0, false));
  driver().heal();
  ASSERT_TRUE(
      node(0).heard([&](const RecordingSink& sink) { return sink.heads.size() > answers; }));
  enter(node(0), "a", "ann");
  if (driver().others_take_over()) {
    while (ask(node(0), "room:6").members != Strings{"a ann"} && !HasFailure())
      enter(node(0), "a", "ann");
    return expect_told_to_look_again(node(0));
  }
  EXPECT_EQ(ask(node(0), "room:6").answer.sessions, 2U);
  expect_heard(node(0), {"join a ann", "join b", "leave b"});
  EXPECT_EQ(ask(node(0), "room:6").members, Strings{"a ann"});
}

}  // namespace
}  // namespace peal::bus::test
