// Sessions that come back to a recoverable channel: what they are given, in which order, and what
// they are told when that is not possible.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using Mode = bus::ReadRequest::Mode;
const Epoch kEpoch = *Epoch::parse("abcdefgh");
const Epoch kNext = *Epoch::parse("abcdefgi");
constexpr auto kSoon = std::chrono::milliseconds(50);

std::string since(std::uint64_t offset, const std::string& epoch = "abcdefgh") {
  return R"({"channel":"a","since":{"epoch":")" + epoch + R"(","offset":)" +
         std::to_string(offset) + "}}";
}

std::string message(std::uint64_t offset, const std::string& more = "") {
  return R"({"event":"message","channel":"a","offset":)" + std::to_string(offset) + more +
         R"(,"message":)" + std::to_string(offset) + "}";
}

/// A subscribe result of a recovery.
std::string result(int id, std::uint64_t offset, const std::string& recovered,
                   const std::vector<std::uint64_t>& publications,
                   const std::string& epoch = "abcdefgh") {
  std::string text = R"({"id":)" + std::to_string(id) + R"(,"result":{"channel":"a","epoch":")" +
                     epoch + R"(","offset":)" + std::to_string(offset) + recovered +
                     R"(,"publications":[)";
  for (std::size_t i = 0; i < publications.size(); ++i)
    text += (i > 0 ? "," : "") + (R"({"offset":)" + std::to_string(publications[i])) +
            R"(,"message":)" + std::to_string(publications[i]) + "}";
  return text + "]}}";
}
const std::string kTrue = R"(,"recovered":true)";
const std::string kFalse = R"(,"recovered":false)";

class Recovery : public testing::Test {
 protected:
  Recovery() {
    auto bus = std::make_unique<FakeBus>();
    bus_ = bus.get();
    gateway_.bus = std::move(bus);
  }
  /// A channel whose log stands at 10, with one member.
  void start() {
    gateway_.start();
    member_ = std::make_unique<SocketClient>(gateway_.port());
    member_->upgrade();
    command(*member_, 1, "subscribe", R"({"channel":"a"})");
    ASSERT_TRUE(eventually([&] { return bus_->watches().size() == 1; }));
    alias_ = bus_->watches()[0].alias;
    bus_->answer_watch(alias_, Head{kEpoch, {10}, {0}});
    ASSERT_EQ(member_->receive(),
              R"({"id":1,"result":{"channel":"a","epoch":"abcdefgh","offset":10}})");
  }
  SocketClient connect(SocketClient::Options options = {}) {
    SocketClient client(gateway_.port(), options);
    client.upgrade();
    return client;
  }
  static void command(SocketClient& client, int id, const std::string& action,
                      const std::string& payload) {
    client.send_text(R"({"id":)" + std::to_string(id) + R"(,"action":")" + action +
                     R"(","payload":)" + payload + "}");
  }
  void deliver(std::uint64_t offset) {
    bus_->deliver(alias_, std::to_string(offset), kEpoch, offset);
  }
  FakeBus::Read read(std::size_t number) {
    EXPECT_TRUE(eventually([&] { return bus_->reads().size() >= number; })) << number;
    return bus_->reads().at(number - 1);
  }
  LocalGateway gateway_;
  FakeBus* bus_;
  std::unique_ptr<SocketClient> member_;
  bus::Alias alias_;
};

TEST_F(Recovery, WhatWasMissedComesWithTheResultAndThenWhatIsLive) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(7));
  const auto asked = read(1);
  EXPECT_EQ(asked.after, 7u);
  EXPECT_EQ(asked.epoch, kEpoch);
  bus_->answer_read(asked, {kEpoch, {10}, {0}}, {8, 9, 10}, 10);
  deliver(11);
  EXPECT_EQ(client.receive(), result(1, 10, kTrue, {8, 9, 10}));
  EXPECT_EQ(client.receive(), message(11));
  EXPECT_EQ(gateway_.metric("peal_recoveries"), 0);
}

TEST_F(Recovery, WhoMissedNothingIsToldSoWithoutARead) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(10));
  EXPECT_EQ(client.receive(), result(1, 10, kTrue, {}));
  deliver(11);
  EXPECT_EQ(client.receive(), message(11));
  EXPECT_TRUE(bus_->reads().empty());
}

TEST_F(Recovery, FurtherPagesComeAsMessagesBeforeWhatIsLive) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(4));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {5, 6}, 6);
  EXPECT_EQ(client.receive(), result(1, 6, kTrue, {5, 6}));
  const auto second = read(2);
  EXPECT_EQ(second.after, 6u);
  deliver(11);
  EXPECT_EQ(member_->receive(), message(11));
  EXPECT_TRUE(client.quiet_for(kSoon));
  bus_->answer_read(second, {kEpoch, {10}, {0}}, {7, 8, 9, 10}, 10);
  for (std::uint64_t offset = 7; offset <= 11; ++offset)
    EXPECT_EQ(client.receive(), message(offset));
  EXPECT_EQ(bus_->reads().size(), 2u);  // 11 came live while the page was read
}

TEST_F(Recovery, HolesOfAPageAreSaidToBeNone) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(4));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {6}, 7);
  EXPECT_EQ(client.receive(), result(1, 7, kTrue, {6}));
  bus_->answer_read(read(2), {kEpoch, {10}, {0}}, {9}, 10);
  EXPECT_EQ(client.receive(), message(9, R"(,"after":8)"));
  EXPECT_EQ(client.receive(), R"({"event":"position","channel":"a","offset":10})");
  deliver(11);
  EXPECT_EQ(client.receive(), message(11));
}

TEST_F(Recovery, EqualPositionsShareOneRead) {
  start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 5; ++i)
    clients.push_back(connect());
  for (SocketClient& client : clients)
    command(client, 1, "subscribe", since(8));
  const auto asked = read(1);
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_recoveries") == 5; }));
  bus_->answer_read(asked, {kEpoch, {10}, {0}}, {9, 10}, 10);
  for (SocketClient& client : clients)
    EXPECT_EQ(client.receive(), result(1, 10, kTrue, {9, 10}));
  SocketClient late = connect();  // the page was read a moment ago; what came since is here
  deliver(11);
  EXPECT_EQ(member_->receive(), message(11));
  command(late, 1, "subscribe", since(8));
  EXPECT_EQ(late.receive(), result(1, 10, kTrue, {9, 10}));
  bus_->answer_read(read(2), {kEpoch, {11}, {0}}, {11}, 11);
  EXPECT_EQ(late.receive(), message(11));
  EXPECT_EQ(gateway_.metric("peal_page_reads_total"), 2);
}

TEST_F(Recovery, TwoPositionsAreTwoReads) {
  start();
  SocketClient one = connect(), other = connect();
  command(one, 1, "subscribe", since(9));
  const auto first = read(1);
  command(other, 1, "subscribe", since(8));
  const auto second = read(2);
  bus_->answer_read(second, {kEpoch, {10}, {0}}, {9, 10}, 10);
  EXPECT_EQ(other.receive(), result(1, 10, kTrue, {9, 10}));
  EXPECT_TRUE(one.quiet_for(kSoon));
  bus_->answer_read(first, {kEpoch, {10}, {0}}, {10}, 10);
  EXPECT_EQ(one.receive(), result(1, 10, kTrue, {10}));
}

TEST_F(Recovery, APageAheadOfWhatMembersHaveHadBringsThemForward) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(9));
  bus_->answer_read(read(1), {kEpoch, {12}, {0}}, {10, 11, 12}, 12);
  EXPECT_EQ(member_->receive(), message(11));
  EXPECT_EQ(member_->receive(), message(12));
  EXPECT_EQ(client.receive(), result(1, 12, kTrue, {10, 11, 12}));
  for (std::uint64_t offset = 11; offset <= 13; ++offset)
    deliver(offset);
  EXPECT_EQ(client.receive(), message(13));
  EXPECT_EQ(member_->receive(), message(13));
}

TEST_F(Recovery, APositionThatIsGoneIsToldAndTheSessionGoesOnFromNow) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(2));
  bus_->refuse_read(read(1), ErrorCode::position_lost, {kEpoch, {10}, {5}});
  EXPECT_EQ(client.receive(), result(1, 10, kFalse, {}));
  SocketClient other = connect();
  command(other, 1, "subscribe", since(10, "zzzzzzzz"));
  EXPECT_EQ(other.receive(), result(1, 10, kFalse, {}));
  EXPECT_EQ(gateway_.metric("peal_recoveries_lost_total"), 2);
  deliver(11);
  EXPECT_EQ(client.receive(), message(11));
  EXPECT_EQ(other.receive(), message(11));
  EXPECT_EQ(bus_->reads().size(), 1u);
}

TEST_F(Recovery, APositionFromTheFutureIsAskedOfTheLog) {
  start();
  SocketClient liar = connect();
  command(liar, 1, "subscribe", since(9007199254740991));
  bus_->refuse_read(read(1), ErrorCode::position_lost, {kEpoch, {10}, {0}});
  EXPECT_EQ(liar.receive(), result(1, 10, kFalse, {}));
  // Another gateway was faster: this one's feed is read before the session goes on.
  SocketClient early = connect();
  command(early, 1, "subscribe", since(12));
  bus_->answer_read(read(2), {kEpoch, {13}, {0}}, {13}, 13);
  EXPECT_EQ(early.receive(), result(1, 13, kTrue, {13}));
  const auto hole = read(3);
  EXPECT_EQ(hole.after, 10u);
  bus_->answer_read(hole, {kEpoch, {13}, {0}}, {11, 12, 13}, 13);
  for (std::uint64_t offset = 11; offset <= 13; ++offset)
    EXPECT_EQ(member_->receive(), message(offset));
  deliver(14);
  EXPECT_EQ(early.receive(), message(14));
}

TEST_F(Recovery, APageWithNothingInItIsNotTakenForTheTruthLater) {
  start();
  SocketClient early = connect();
  command(early, 1, "subscribe", since(12));
  bus_->answer_read(read(1), {kEpoch, {12}, {0}}, {}, 12);
  EXPECT_EQ(early.receive(), result(1, 12, kTrue, {}));
  bus_->answer_read(read(2), {kEpoch, {12}, {0}}, {11, 12}, 12);
  deliver(13);
  deliver(14);
  EXPECT_EQ(early.receive(), message(13));
  EXPECT_EQ(early.receive(), message(14));
  SocketClient late = connect();
  command(late, 1, "subscribe", since(12));
  const auto anew = read(3);
  EXPECT_EQ(anew.after, 12u);
  bus_->answer_read(anew, {kEpoch, {14}, {0}}, {13, 14}, 14);
  EXPECT_EQ(late.receive(), result(1, 14, kTrue, {13, 14}));
}

TEST_F(Recovery, OvertakenByTrimmingItEndsInAReset) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(2));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {3}, 3);
  EXPECT_EQ(client.receive(), result(1, 3, kTrue, {3}));
  bus_->refuse_read(read(2), ErrorCode::position_lost, {kEpoch, {10}, {7}});
  EXPECT_EQ(client.receive(), R"({"event":"reset","channel":"a","epoch":"abcdefgh","offset":10})");
  deliver(11);
  EXPECT_EQ(client.receive(), message(11));
  EXPECT_EQ(member_->receive(), message(11));
}

TEST_F(Recovery, AnEpochThatEndsMeanwhileIsToldOnce) {
  start();
  SocketClient unanswered = connect(), answered = connect();
  command(answered, 1, "subscribe", since(2));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {3}, 3);
  EXPECT_EQ(answered.receive(), result(1, 3, kTrue, {3}));
  read(2);
  command(unanswered, 1, "subscribe", since(1));
  const auto late = read(3);
  bus_->answer_watch(alias_, Head{kNext, {4}, {0}});
  EXPECT_EQ(unanswered.receive(), result(1, 4, kFalse, {}, "abcdefgi"));
  EXPECT_EQ(answered.receive(), R"({"event":"reset","channel":"a","epoch":"abcdefgi","offset":4})");
  bus_->answer_read(late, {kEpoch, {10}, {0}}, {2, 3}, 10);
  bus_->deliver(alias_, "5", kNext, 5);
  EXPECT_EQ(unanswered.receive(), message(5));
  EXPECT_EQ(answered.receive(), message(5));
}

TEST_F(Recovery, FromTheStartAndFromTheState) {
  start();
  SocketClient all = connect();
  command(all, 1, "subscribe", R"({"channel":"a","since":"start"})");
  const auto from_start = read(1);
  EXPECT_EQ(from_start.after, 0u);
  EXPECT_FALSE(from_start.epoch);
  bus_->answer_read(from_start, {kEpoch, {10}, {8}}, {9, 10}, 10);
  EXPECT_EQ(all.receive(), result(1, 10, "", {9, 10}));
  SocketClient keyed = connect();
  command(keyed, 1, "subscribe", R"({"channel":"a","since":"state"})");
  const auto state = read(2);
  EXPECT_EQ(state.mode, Mode::state);
  bus_->answer_read(state, {kEpoch, {10}, {8}}, {4, 10}, 10);
  EXPECT_EQ(keyed.receive(), result(1, 10, "", {4, 10}));
  deliver(11);
  EXPECT_EQ(all.receive(), message(11));
  EXPECT_EQ(keyed.receive(), message(11));
}

TEST_F(Recovery, FromTheStartOfAnEpochThatBeginsMeanwhile) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", R"({"channel":"a","since":"start"})");
  const auto old = read(1);
  bus_->answer_watch(alias_, Head{kNext, {2}, {0}});
  const auto anew = read(2);
  bus_->refuse_read(old, ErrorCode::position_lost, {kNext, {2}, {0}});
  bus_->answer_read(anew, {kNext, {2}, {0}}, {1, 2}, 2);
  EXPECT_EQ(client.receive(), result(1, 2, "", {1, 2}, "abcdefgi"));
}

TEST_F(Recovery, WithTheLinkGoneTheSubscribeFailsAndMayBeRepeated) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(7));
  bus_->refuse_read(read(1), ErrorCode::broker_unavailable);
  EXPECT_NE(client.receive().find(R"("code":"broker_unavailable")"), std::string::npos);
  command(client, 2, "subscribe", since(7));
  bus_->answer_read(read(2), {kEpoch, {10}, {0}}, {8, 9, 10}, 10);
  EXPECT_EQ(client.receive(), result(2, 10, kTrue, {8, 9, 10}));
}

TEST_F(Recovery, HalfDoneWhenTheLinkGoesItGoesOnWhenTheLinkIsBack) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(2));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {3}, 3);
  EXPECT_EQ(client.receive(), result(1, 3, kTrue, {3}));
  bus_->refuse_read(read(2), ErrorCode::broker_unavailable);
  bus_->link(false);
  bus_->link(true);
  bus_->answer_watch(alias_, Head{kEpoch, {10}, {0}});
  const auto again = read(3);
  EXPECT_EQ(again.after, 3u);
  bus_->answer_read(again, {kEpoch, {10}, {0}}, {10}, 10);
  EXPECT_EQ(client.receive(), message(10, R"(,"after":9)"));
}

TEST_F(Recovery, ASessionThatGoesWhileItsPageIsUnderWayLeavesNothing) {
  start();
  {
    SocketClient client = connect();
    command(client, 1, "subscribe", since(7));
    read(1);
  }
  member_.reset();
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_sessions") == 0; }));
  EXPECT_TRUE(eventually([&] { return bus_->unwatches().size() == 1; }));
  bus_->answer_read(bus_->reads()[0], {kEpoch, {10}, {0}}, {8, 9, 10}, 10);
  // The channel is watched anew under the same number; the page was for the old life.
  SocketClient client = connect();
  command(client, 1, "subscribe", since(10));
  ASSERT_TRUE(eventually([&] { return bus_->watches().size() == 2; }));
  bus_->answer_watch(bus_->watches()[1].alias, Head{kEpoch, {10}, {0}});
  EXPECT_EQ(client.receive(), result(1, 10, kTrue, {}));
  EXPECT_EQ(gateway_.metric("peal_subscriptions"), 1);
  EXPECT_EQ(gateway_.metric("peal_recoveries"), 0);
}

TEST_F(Recovery, TheFirstWatchAndTheRecoveryAreOneSubscribe) {
  gateway_.start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(8));
  ASSERT_TRUE(eventually([&] { return bus_->watches().size() == 1; }));
  EXPECT_TRUE(bus_->reads().empty());
  bus_->answer_watch(bus_->watches()[0].alias, Head{kEpoch, {10}, {0}});
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {9, 10}, 10);
  EXPECT_EQ(client.receive(), result(1, 10, kTrue, {9, 10}));
}

TEST_F(Recovery, CommandsOfTheChannelWaitForTheResult) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(7));
  const auto asked = read(1);
  command(client, 2, "publish", R"({"channel":"a","message":11})");
  command(client, 3, "unsubscribe", R"({"channel":"a"})");
  EXPECT_TRUE(client.quiet_for(kSoon));
  EXPECT_TRUE(bus_->publishes().empty());
  bus_->answer_read(asked, {kEpoch, {10}, {0}}, {8, 9, 10}, 10);
  EXPECT_EQ(client.receive(), result(1, 10, kTrue, {8, 9, 10}));
  ASSERT_TRUE(eventually([&] { return bus_->publishes().size() == 1; }));
  bus_->answer_publish(bus_->publishes()[0].id);
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{}})");
  EXPECT_EQ(client.receive(), R"({"id":3,"result":{"channel":"a"}})");
}

TEST_F(Recovery, LeavingInTheMiddleEndsIt) {
  start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(2));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {3}, 3);
  EXPECT_EQ(client.receive(), result(1, 3, kTrue, {3}));
  const auto second = read(2);
  command(client, 2, "subscribe", R"({"channel":"a"})");
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{"channel":"a","epoch":"abcdefgh","offset":3}})");
  command(client, 3, "unsubscribe", R"({"channel":"a"})");
  EXPECT_EQ(client.receive(), R"({"id":3,"result":{"channel":"a"}})");
  bus_->answer_read(second, {kEpoch, {10}, {0}}, {4, 5}, 5);
  deliver(11);
  EXPECT_EQ(member_->receive(), message(11));
  EXPECT_TRUE(client.quiet_for(kSoon));
}

TEST_F(Recovery, AMemberMayGoBackToAPosition) {
  start();
  command(*member_, 2, "subscribe", since(8));
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {9, 10}, 10);
  EXPECT_EQ(member_->receive(), result(2, 10, kTrue, {9, 10}));
  deliver(11);
  EXPECT_EQ(member_->receive(), message(11));
  EXPECT_EQ(gateway_.metric("peal_subscriptions"), 1);
}

TEST_F(Recovery, WithoutAnIdWhatWasMissedComesAsMessages) {
  start();
  SocketClient client = connect();
  client.send_text(R"({"action":"subscribe","payload":)" + since(8) + "}");
  bus_->answer_read(read(1), {kEpoch, {10}, {0}}, {9, 10}, 10);
  EXPECT_EQ(client.receive(), message(9));
  EXPECT_EQ(client.receive(), message(10));
  client.send_text(R"({"action":"subscribe","payload":)" + since(8, "zzzzzzzz") + "}");
  EXPECT_EQ(client.receive(), R"({"event":"reset","channel":"a","epoch":"abcdefgh","offset":10})");
}

TEST_F(Recovery, OneThatDoesNotReadWaitsAndOthersDoNot) {
  gateway_.config.limits.queue_age_max = std::chrono::seconds(60);
  start();
  SocketClient slow = connect({.receive_buffer = 4096});
  SocketClient quick = connect();
  command(slow, 1, "subscribe", since(0));
  command(quick, 1, "subscribe", since(0));
  const std::string payload = '"' + std::string(200'000, 'x') + '"';
  const auto big_page = [&](const FakeBus::Read& asked) {
    bus_->say([=](bus::BusSink& sink) {
      PublicationView publication;
      publication.offset = {asked.after + 1};
      publication.payload = payload;
      bus::Page page;
      page.id = asked.id;
      page.head = {kEpoch, {10}, {0}};
      page.after = {asked.after};
      page.to = publication.offset;
      page.publications = {&publication, 1};
      sink.on_page(page);
    });
  };
  for (std::size_t number = 1; number <= 10; ++number) {
    big_page(read(number));
    EXPECT_NE(quick.receive().find(payload), std::string::npos);
  }
  deliver(11);
  EXPECT_EQ(quick.receive(), message(11));
  EXPECT_EQ(gateway_.metric("peal_recoveries"), 1);  // the slow one stands still
  const std::size_t before = bus_->reads().size();
  std::size_t served = before;
  std::size_t received = 0;
  while (received < 10) {
    EXPECT_NE(slow.receive().find(payload), std::string::npos);
    ++received;
    if (bus_->reads().size() > served) big_page(bus_->reads()[served++]);
  }
  EXPECT_EQ(slow.receive(), message(11));
}

TEST_F(Recovery, MorePositionsThanPagesAllowedStandInLine) {
  gateway_.config.limits.recovery_pages_max = 2;
  start();
  std::vector<SocketClient> clients;
  for (std::uint64_t i = 0; i < 5; ++i) {
    clients.push_back(connect());
    command(clients.back(), 1, "subscribe", since(i));
  }
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_recoveries") == 5; }));
  EXPECT_EQ(bus_->reads().size(), 2u);
  for (std::size_t number = 1; number <= 5; ++number) {
    const auto asked = read(number);
    bus_->answer_read(asked, {kEpoch, {10}, {0}}, {10}, 10);
  }
  for (SocketClient& client : clients)
    EXPECT_EQ(client.receive(), result(1, 10, kTrue, {10}));
}

TEST_F(Recovery, WhatIsNoPositionIsNoCommand) {
  start();
  SocketClient client = connect();
  for (const std::string wrong :
       {R"({"epoch":"abcdefgh","offset":-1})",
        R"({"epoch":"abcdefgh","offset":9223372036854775808})",
        R"({"epoch":"abcdefgh","offset":1.5})", R"({"epoch":"abc","offset":1})", R"({"offset":1})",
        R"("now")", "7", "null"}) {
    const std::string answer =
        client.command("subscribe", R"({"channel":"a","since":)" + wrong + "}");
    EXPECT_NE(answer.find(R"("code":"command_invalid")"), std::string::npos) << wrong << answer;
  }
}

TEST_F(Recovery, AnEphemeralChannelHasNoPast) {
  gateway_.start();
  SocketClient client = connect();
  command(client, 1, "subscribe", since(3));
  ASSERT_TRUE(eventually([&] { return bus_->watches().size() == 1; }));
  bus_->answer_watch(bus_->watches()[0].alias);
  EXPECT_EQ(client.receive(),
            R"({"id":1,"result":{"channel":"a","recovered":false,"publications":[]}})");
}

TEST_F(Recovery, AQuietChannelTellsItsPositionOnce) {
  gateway_.config.limits.position_interval = std::chrono::milliseconds(60);
  start();
  EXPECT_TRUE(member_->quiet_for(std::chrono::milliseconds(200)));
  deliver(11);
  EXPECT_EQ(member_->receive(), message(11));
  EXPECT_EQ(member_->receive(), R"({"event":"position","channel":"a","offset":11})");
  EXPECT_TRUE(member_->quiet_for(std::chrono::milliseconds(200)));
  deliver(12);
  EXPECT_EQ(member_->receive(), message(12));
  EXPECT_EQ(member_->receive(), R"({"event":"position","channel":"a","offset":12})");
}

TEST_F(Recovery, HistoryIsAPageOfTheLog) {
  start();
  SocketClient client = connect();
  command(client, 1, "history", R"({"channel":"a","limit":2})");
  const auto first = read(1);
  EXPECT_EQ(first.limit, 2u);
  EXPECT_FALSE(first.epoch);
  command(client, 2, "subscribe", R"({"channel":"a"})");
  EXPECT_TRUE(client.quiet_for(kSoon));  // replies of one channel come in order
  bus_->answer_read(first, {kEpoch, {10}, {0}}, {1, 2}, 2);
  EXPECT_EQ(
      client.receive(),
      R"({"id":1,"result":{"epoch":"abcdefgh","offset":10,"publications":[{"offset":1,"message":1},{"offset":2,"message":2}]}})");
  EXPECT_EQ(client.receive(),
            R"({"id":2,"result":{"channel":"a","epoch":"abcdefgh","offset":10}})");
  command(client, 3, "history",
          R"({"channel":"a","reverse":true,"since":{"epoch":"abcdefgh","offset":5}})");
  const auto down = read(2);
  EXPECT_EQ(down.mode, Mode::reverse);
  EXPECT_EQ(down.after, 5u);
  bus_->refuse_read(down, ErrorCode::position_lost, {kNext, {3}, {0}});
  EXPECT_EQ(
      client.receive(),
      R"({"id":3,"error":{"code":"position_lost","message":"the test says so","temporary":false,"epoch":"abcdefgi","offset":3}})");
  EXPECT_NE(
      client.command("history", R"({"channel":"a","limit":1001})").find("limits.page_length_max"),
      std::string::npos);
}

TEST_F(Recovery, HistoryOverHttp) {
  start();
  SocketClient client(gateway_.port());
  const std::string body = R"({"id":4,"action":"history","payload":{"channel":"a"}})";
  client.send_bytes(
      "POST /command HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
  bus_->answer_read(read(1), {kEpoch, {10}, {9}}, {10}, 10);
  EXPECT_NE(
      client.read_all().find(
          R"({"id":4,"result":{"epoch":"abcdefgh","offset":10,"publications":[{"offset":10,"message":10}]}})"),
      std::string::npos);
}

}  // namespace
}  // namespace peal::test
