// Streams through a whole shard: what a reader of server-sent events sees, and what it leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "event_stream.hpp"
#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"

namespace peal::test {
namespace {

const Epoch kEpoch = *Epoch::parse("abcdefgh");
const Epoch kNext = *Epoch::parse("abcdefgi");

void publish(SocketClient& client, const std::string& channel, const std::string& json) {
  const std::string answer = client.request("POST /channels/" + channel +
                                            " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                                            std::to_string(json.size()) + "\r\n\r\n" + json);
  ASSERT_EQ(answer.rfind("HTTP/1.1 200", 0), 0U) << answer;
}

class Streams : public testing::Test {
 protected:
  void start() {
    gateway.start();
    publisher = std::make_unique<SocketClient>(gateway.port());
  }
  void say(const std::string& channel, const std::string& json) {
    publish(*publisher, channel, json);
  }
  LocalGateway gateway;
  std::unique_ptr<SocketClient> publisher;
};

/// Two channels of a bus that the test plays.
class PlayedStreams : public testing::Test {
 protected:
  PlayedStreams() {
    auto made = std::make_unique<FakeBus>();
    bus = made.get();
    gateway.bus = std::move(made);
    gateway.start();
  }
  bool watched(std::size_t count) {
    return eventually([&] { return bus->watches().size() == count; });
  }
  bus::Alias alias(std::size_t watch) { return bus->watches()[watch].alias; }
  LocalGateway gateway;
  FakeBus* bus;
};

TEST_F(Streams, AreOrdinarySessions) {
  start();
  auto stream =
      EventStream::post(gateway.port(), R"({"channels":[{"channel":"a"},{"channel":"b"}]})");
  EXPECT_EQ(stream.head().rfind("HTTP/1.1 200 OK\r\n", 0), 0U);
  for (const char* header : {"Content-Type: text/event-stream\r\n", "Cache-Control: no-store\r\n",
                             "X-Accel-Buffering: no\r\n", "Connection: close\r\n", "Date: "})
    EXPECT_NE(stream.head().find(header), std::string::npos) << header;
  EXPECT_EQ(stream.head().find("Content-Length"), std::string::npos);
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"b"})");
  EXPECT_GE(stream.retry_ms(), 1000);
  SocketClient other(gateway.port());
  other.upgrade();
  other.subscribe("a");
  say("a", R"({"n": 1})");
  EXPECT_EQ(stream.next(), R"({"event":"message","channel":"a","message":{"n": 1}})");
  EXPECT_EQ(other.receive(), R"({"event":"message","channel":"a","message":{"n": 1}})");
  EXPECT_EQ(gateway.metric("peal_sessions"), 2);
  EXPECT_EQ(gateway.metric("peal_subscriptions"), 3);
  EXPECT_EQ(gateway.metric("peal_encodes_total"), 2) << "once per framing";
}

TEST_F(Streams, KeepLineBreaksInMessages) {
  start();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  say("a", "{\n  \"n\": [1,\r\n2,\r3]\n}");
  EXPECT_EQ(stream.next(),
            "{\"event\":\"message\",\"channel\":\"a\",\"message\":{\n  \"n\": [1,\n2,\n3]\n}}");
}

TEST_F(Streams, AreRefusedBeforeTheFirstByteOrPerChannel) {
  gateway::ChannelRule closed;
  closed.pattern = "closed:*";
  gateway.rules.insert(gateway.rules.begin(), closed);
  start();
  auto none = EventStream::get(gateway.port(), "/stream?channel=closed:1&channel=closed:2");
  EXPECT_EQ(none.head().rfind("HTTP/1.1 403", 0), 0U);
  EXPECT_NE(none.head().find("application/problem+json"), std::string::npos);
  auto one = EventStream::get(gateway.port(), "/stream?channel=closed:1&channel=open");
  EXPECT_EQ(one.next().rfind(R"({"event":"unsubscribed","channel":"closed:1","code":"permission_)"),
            0U);
  EXPECT_EQ(one.next(), R"({"event":"subscribed","channel":"open"})");
  const auto status = [&](const EventStream& stream) { return stream.head().substr(9, 3); };
  EXPECT_EQ(status(EventStream::get(gateway.port(), "/stream")), "400");
  EXPECT_EQ(status(EventStream::post(gateway.port(), "{")), "400");
  EXPECT_EQ(status(EventStream::get(gateway.port(), "/stream?channel=a", "Last-Event-ID: x\r\n")),
            "400");
  EXPECT_EQ(status(EventStream::get(gateway.port(), "/stream?channel=a",
                                    "Origin: https://elsewhere.example\r\n")),
            "403");
  EXPECT_EQ(status(EventStream::get(gateway.port(), "/stream?channel=a",
                                    "Authorization: Bearer nothing\r\n")),
            "401");
  const std::string get = "GET /stream?channel=a HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_EQ(status({gateway.port(), get + "Accept: application/json\r\n\r\n"}), "406");
  EXPECT_EQ(status({gateway.port(), get + "\r\n"}), "200");
  EXPECT_EQ(status({gateway.port(), "PUT /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"}), "405");
}

TEST_F(Streams, GetHeartbeatsAndNoPings) {
  gateway.config.limits.ping_interval = std::chrono::milliseconds(60);
  gateway.config.limits.pong_timeout = std::chrono::milliseconds(20);
  start();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  EXPECT_EQ(stream.client().receive_until("\n\n"), ":\n\n");
  EXPECT_EQ(stream.client().receive_until("\n\n"), ":\n\n");
  EXPECT_EQ(gateway.metric("peal_sessions"), 1);
}

TEST_F(Streams, EndWithLastWordsWhenTheGatewayDrains) {
  start();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  std::atomic<bool> drained{false};
  gateway.shards().drain(std::chrono::milliseconds(1), [&] { drained = true; });
  EXPECT_THAT(
      stream.next(),
      testing::MatchesRegex(R"(\{"event":"closed","code":1012,"message":"the gateway is stopping; )"
                            R"(retry_after_ms=[0-9]+","reconnect":true\})"));
  EXPECT_EQ(stream.next(), "") << "the response ends";
  stream.client().close();
  EXPECT_TRUE(eventually([&] { return drained.load(); }));
}

TEST_F(Streams, CanBeListedAndDisconnected) {
  start();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  stream.next();
  gateway::SessionPage page;
  std::atomic<bool> told{false};
  gateway.shards().sessions("", 10, [&](gateway::SessionPage sessions) {
    page = std::move(sessions);
    told = true;
  });
  ASSERT_TRUE(eventually([&] { return told.load(); }));
  ASSERT_EQ(page.sessions.size(), 1U);
  EXPECT_EQ(page.sessions[0].protocol, "sse");
  EXPECT_EQ(page.sessions[0].subscriptions, 1U);
  gateway.shards().disconnect(page.sessions[0].id, CloseCode::disconnected_for_good, "go",
                              [](bool) {});
  EXPECT_EQ(stream.next(), R"({"event":"closed","code":3500,"message":"go","reconnect":false})");
  EXPECT_EQ(stream.next(), "");
}

TEST_F(Streams, CountAsSessionsOfTheLimit) {
  gateway.config.limits.sessions_max = 1;
  start();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  EXPECT_EQ(EventStream::get(gateway.port(), "/stream?channel=a").head().substr(9, 3), "503");
}

TEST_F(Streams, LeaveNothingBehind) {
  start();
  for (int i = 0; i < 300; ++i) {
    auto stream = EventStream::get(gateway.port(), "/stream?channel=a&channel=b");
    stream.next();
    if (i % 3 == 0) stream.client().abort();
    if (i % 3 != 1) continue;
    stream.client().close_writing();
    EXPECT_EQ(stream.client().receive_until("never"), "") << "who has ended hears nothing";
  }
  EXPECT_TRUE(eventually([&] {
    return gateway.metric("peal_sessions") == 0 && gateway.metric("peal_subscriptions") == 0 &&
           gateway.metric("peal_channels") == 0 && gateway.metric("peal_connections") == 1;
  }));
}

TEST_F(PlayedStreams, TellOneChannelsPositionInTheEvent) {
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a");
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a","epoch":"abcdefgh","offset":5})");
  EXPECT_EQ(stream.last_id(), "abcdefgh-5");
  bus->deliver(alias(0), "1", kEpoch, 6);
  EXPECT_EQ(stream.next(), R"({"event":"message","channel":"a","offset":6,"message":1})");
  EXPECT_EQ(stream.last_id(), "abcdefgh-6");
  bus->deliver(alias(0), "2", kNext, 1);
  EXPECT_EQ(stream.next(), R"({"event":"reset","channel":"a","epoch":"abcdefgi","offset":0})");
  EXPECT_EQ(stream.last_id(), "abcdefgi-0");
  EXPECT_EQ(stream.next(), R"({"event":"message","channel":"a","offset":1,"message":2})");
  EXPECT_EQ(stream.last_id(), "abcdefgi-1");
}

TEST_F(PlayedStreams, TellAllPositionsWithEachEvent) {
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a&channel=b&channel=c");
  ASSERT_TRUE(watched(3));
  bus->answer_watch(alias(1), Head{kEpoch, {7}, {0}});
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"b","epoch":"abcdefgh","offset":7})");
  EXPECT_EQ(stream.last_id(), "1.*.abcdefgh-7.*");
  bus->answer_watch(alias(2));
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"c"})");
  bus->answer_watch(alias(0), Head{kNext, {0}, {0}});
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a","epoch":"abcdefgi","offset":0})");
  EXPECT_EQ(stream.last_id(), "1.abcdefgi-0.abcdefgh-7.-");
  bus->say([one = alias(0), two = alias(1), three = alias(2)](bus::BusSink& sink) {
    std::vector<bus::Delivery> batch(5);
    const auto fill = [&](std::size_t i, bus::Alias to, Epoch epoch, std::uint64_t offset) {
      batch[i].alias = to;
      batch[i].epoch = epoch;
      batch[i].publication.offset = {offset};
      batch[i].publication.payload = "0";
    };
    fill(0, one, kNext, 1);
    fill(1, two, kEpoch, 8);
    fill(2, one, kNext, 2);
    fill(3, three, kEpoch, 0);
    fill(4, two, kEpoch, 9);
    sink.on_batch(batch);
  });
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    stream.next();
    ids.push_back(stream.last_id());
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"1.abcdefgi-1.abcdefgh-7.-", "1.abcdefgi-2.abcdefgh-7.-",
                                           "1.abcdefgi-2.abcdefgh-8.-", "1.abcdefgi-2.abcdefgh-9.-",
                                           "1.abcdefgi-2.abcdefgh-9.-"}));
}

TEST_F(PlayedStreams, AreWithoutIdsWhereTheClientCounts) {
  auto stream = EventStream::post(gateway.port(),
                                  R"({"ids":false,"channels":[{"channel":"a"},{"channel":"b"}]})");
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a","epoch":"abcdefgh","offset":5})");
  bus->deliver(alias(0), "1", kEpoch, 6);
  EXPECT_EQ(stream.next(), R"({"event":"message","channel":"a","offset":6,"message":1})");
  EXPECT_EQ(stream.last_id(), "");
}

TEST_F(PlayedStreams, ComeBackWhenAChannelCannotBeServedForNow) {
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a&channel=b");
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), std::nullopt, fail(ErrorCode::permission_denied, "never"));
  EXPECT_EQ(stream.next(), R"({"event":"unsubscribed","channel":"a","code":"permission_denied",)"
                           R"("message":"never","temporary":false})");
  bus->answer_watch(alias(1), std::nullopt, fail(ErrorCode::not_ready, "soon"));
  EXPECT_EQ(stream.next(), R"({"event":"unsubscribed","channel":"b","code":"not_ready",)"
                           R"("message":"soon","temporary":true})");
  EXPECT_EQ(stream.next().rfind(R"({"event":"closed","code":1001,)", 0), 0U);
  EXPECT_EQ(stream.next(), "");
}

TEST_F(PlayedStreams, WithoutALinkAreToldToComeBack) {
  bus->link(false);
  bus->settle();
  auto stream = EventStream::get(gateway.port(), "/stream?channel=a&channel=b");
  EXPECT_EQ(stream.head().substr(9, 3), "200") << "EventSource gives up at anything else";
  EXPECT_NE(stream.next().find(R"("code":"broker_unavailable")"), std::string::npos);
  EXPECT_EQ(stream.next().rfind(R"({"event":"closed","code":1001,)", 0), 0U);
}

}  // namespace
}  // namespace peal::test
