// The order of a session's commands, and what it is told while the bus is slow, gone or refuses.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using Status = bus::Published::Status;

class SessionOrder : public testing::Test {
 protected:
  SessionOrder() {
    auto bus = std::make_unique<FakeBus>();
    bus_ = bus.get();
    gateway_.bus = std::move(bus);
  }
  SocketClient open() {
    if (!started_) gateway_.start();
    started_ = true;
    SocketClient client(gateway_.port());
    client.upgrade();
    return client;
  }
  bool asked(std::size_t watches, std::size_t publishes) {
    return eventually(
        [&] { return bus_->watches().size() == watches && bus_->publishes().size() == publishes; });
  }
  LocalGateway gateway_;
  FakeBus* bus_;
  bool started_ = false;
};

constexpr auto kSoon = std::chrono::milliseconds(50);

TEST_F(SessionOrder, TheSubscribeResultComesWithTheBusAnswerAndBeforeAnyPush) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  EXPECT_TRUE(client.quiet_for(kSoon));
  const bus::Alias alias = bus_->watches()[0].alias;
  bus_->answer_watch(alias);
  bus_->deliver(alias, "1");
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{"channel":"a"}})");
  EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":1})");
}

TEST_F(SessionOrder, TwoSubscribersNeedOneWatchAndTheLastLeaverEndsIt) {
  SocketClient one = open(), two = open();
  one.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  two.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_subscriptions") == 2; }));
  bus_->answer_watch(bus_->watches()[0].alias);
  one.receive();
  two.receive();
  EXPECT_EQ(one.command("unsubscribe", R"({"channel":"a"})"),
            R"({"id":1,"result":{"channel":"a"}})");
  EXPECT_TRUE(bus_->unwatches().empty());
  two.close();
  EXPECT_TRUE(eventually([&] { return bus_->unwatches().size() == 1; }));
  EXPECT_EQ(bus_->unwatches()[0], bus_->watches()[0].alias);
  EXPECT_EQ(gateway_.metric("peal_subscriptions"), 0);
  EXPECT_EQ(gateway_.metric("peal_channels_watched"), 0);
}

TEST_F(SessionOrder, SubscribingAgainIsHarmless) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  client.send_text(R"({"id":2,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  bus_->answer_watch(bus_->watches()[0].alias);
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{"channel":"a"}})");
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{"channel":"a"}})");
  EXPECT_EQ(gateway_.metric("peal_subscriptions"), 1);
  bus_->deliver(bus_->watches()[0].alias, "1");
  EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":1})");
  EXPECT_TRUE(client.quiet_for(kSoon));
}

TEST_F(SessionOrder, ASubscribeWaitsForPublishesBeforeIt) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"publish","payload":{"channel":"a","message":1}})");
  client.send_text(R"({"id":2,"action":"subscribe","payload":{"channel":"a"}})");
  client.send_text(R"({"id":3,"action":"ping","payload":{}})");
  ASSERT_TRUE(asked(0, 1));
  EXPECT_TRUE(client.quiet_for(kSoon));
  bus_->answer_publish(bus_->publishes()[0].id);
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{}})");
  ASSERT_TRUE(asked(1, 1));
  EXPECT_EQ(client.receive(), R"({"id":3,"result":{}})");  // of no channel: it needn't wait
  bus_->answer_watch(bus_->watches()[0].alias);
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{"channel":"a"}})");
}

TEST_F(SessionOrder, APublishAndAnUnsubscribeWaitForTheSubscribeOfTheirChannel) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  client.send_text(R"({"id":2,"action":"publish","payload":{"channel":"b","message":1}})");
  client.send_text(R"({"id":3,"action":"publish","payload":{"channel":"a","message":2}})");
  client.send_text(R"({"id":4,"action":"unsubscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 1));  // b is another channel: it needn't wait
  EXPECT_EQ(bus_->publishes()[0].channel, "b");
  bus_->answer_watch(bus_->watches()[0].alias);
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 2));
  bus_->answer_publish(bus_->publishes()[0].id);
  bus_->answer_publish(bus_->publishes()[1].id);
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{}})");
  EXPECT_EQ(client.receive(), R"({"id":3,"result":{}})");
  EXPECT_EQ(client.receive(), R"({"id":4,"result":{"channel":"a"}})");
}

TEST_F(SessionOrder, WithSixteenUnansweredItsSocketIsNotRead) {
  SocketClient client = open();
  for (int i = 1; i <= 40; ++i)
    client.send_text(R"({"id":)" + std::to_string(i) +
                     R"(,"action":"publish","payload":{"channel":"a","message":1}})");
  ASSERT_TRUE(asked(0, 16));
  EXPECT_TRUE(client.quiet_for(kSoon));
  EXPECT_EQ(bus_->publishes().size(), 16u);
  for (std::size_t answered = 0; answered < 40; ++answered) {
    ASSERT_TRUE(eventually([&] { return bus_->publishes().size() > answered; }));
    EXPECT_LE(bus_->publishes().size(), answered + 16);
    bus_->answer_publish(bus_->publishes()[answered].id);
    EXPECT_EQ(client.receive(), R"({"id":)" + std::to_string(answered + 1) + R"(,"result":{}})");
  }
}

TEST_F(SessionOrder, WhileTheBusIsGoneCommandsAreRefusedAtOnceAndSubscriptionsStay) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  const bus::Alias alias = bus_->watches()[0].alias;
  bus_->answer_watch(alias);
  client.receive();
  client.send_text(R"({"id":2,"action":"publish","payload":{"channel":"a","message":1}})");
  ASSERT_TRUE(asked(1, 1));
  bus_->link(false);
  bus_->answer_publish(bus_->publishes()[0].id, Status::unknown,
                       fail(ErrorCode::publish_outcome_unknown, "the link was lost"));
  EXPECT_NE(client.receive().find(R"("id":2,"error":{"code":"publish_outcome_unknown")"),
            std::string::npos);
  const std::string refused = client.command("publish", R"({"channel":"a","message":1})");
  EXPECT_NE(refused.find(R"("code":"broker_unavailable")"), std::string::npos);
  EXPECT_NE(refused.find(R"("temporary":true)"), std::string::npos);
  EXPECT_NE(client.subscribe("new").find("broker_unavailable"), std::string::npos);
  EXPECT_EQ(bus_->publishes().size(), 1u);
  bus_->link(true);
  bus_->answer_watch(alias);  // the port watches again by itself
  bus_->deliver(alias, "5");
  EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":5})");
}

TEST_F(SessionOrder, ASubscribeThatWaitsWhenTheBusIsLostIsRefusedAndMayBeTriedAgain) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  bus_->link(false);
  EXPECT_NE(client.receive().find(R"("id":1,"error":{"code":"broker_unavailable")"),
            std::string::npos);
  EXPECT_TRUE(eventually([&] { return bus_->unwatches().size() == 1; }));
  bus_->link(true);
  bus_->answer_watch(bus_->watches()[0].alias);  // too late: it is nobody's alias now
  bus_->settle();
  client.send_text(R"({"id":2,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(2, 0));
  EXPECT_TRUE(client.quiet_for(kSoon));
  bus_->answer_watch(bus_->watches()[1].alias);
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{"channel":"a"}})");
}

TEST_F(SessionOrder, ARefusedWatchIsAnErrorAndMayBeTriedAgain) {
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(1, 0));
  bus_->answer_watch(bus_->watches()[0].alias, std::nullopt, fail(ErrorCode::overloaded, "full"));
  EXPECT_NE(client.receive().find(R"("error":{"code":"overloaded")"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return gateway_.metric("peal_channels_watched") == 0; }));
  EXPECT_TRUE(bus_->unwatches().empty());
  client.send_text(R"({"id":2,"action":"subscribe","payload":{"channel":"a"}})");
  ASSERT_TRUE(asked(2, 0));
  EXPECT_NE(bus_->watches()[0].alias, bus_->watches()[1].alias);
  bus_->answer_watch(bus_->watches()[1].alias);
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{"channel":"a"}})");
}

TEST_F(SessionOrder, ACommandWithoutIdAnswersOnlyWithItsError) {
  SocketClient client = open();
  client.send_text(R"({"action":"publish","payload":{"channel":"a","message":1}})");
  ASSERT_TRUE(asked(0, 1));
  bus_->answer_publish(bus_->publishes()[0].id);
  EXPECT_TRUE(client.quiet_for(kSoon));
  client.send_text(R"({"action":"publish","payload":{"channel":"a","message":1}})");
  ASSERT_TRUE(asked(0, 2));
  bus_->answer_publish(bus_->publishes()[1].id, Status::refused,
                       fail(ErrorCode::overloaded, "full"));
  EXPECT_NE(client.receive().find(R"({"event":"error","code":"overloaded")"), std::string::npos);
}

TEST_F(SessionOrder, PublishingToSeveralChannelsAnswersOnceWithAllOutcomes) {
  SocketClient client = open();
  client.send_text(
      R"({"id":1,"action":"publish","payload":{"channels":["a","b","c"],"message":1}})");
  ASSERT_TRUE(asked(0, 3));
  bus_->answer_publish(bus_->publishes()[0].id);
  bus_->answer_publish(bus_->publishes()[1].id, Status::refused,
                       fail(ErrorCode::overloaded, "full"));
  EXPECT_TRUE(client.quiet_for(kSoon));
  bus_->answer_publish(bus_->publishes()[2].id);
  const std::string reply = client.receive();
  EXPECT_NE(reply.find(R"("result":[{},{"error":{"code":"overloaded")"), std::string::npos)
      << reply;
}

TEST_F(SessionOrder, AnswersForSessionsThatHaveGoneReachNobody) {
  {
    SocketClient client = open();
    client.send_text(R"({"id":1,"action":"publish","payload":{"channel":"a","message":1}})");
    client.send_text(R"({"id":2,"action":"subscribe","payload":{"channel":"b"}})");
    ASSERT_TRUE(asked(0, 1));
  }
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_connections") == 0; }));
  SocketClient next = open();  // has the same slot
  bus_->answer_publish(bus_->publishes()[0].id);
  EXPECT_TRUE(next.quiet_for(kSoon));
}

}  // namespace
}  // namespace peal::test
