// Long-polls through a whole shard: when they are answered, with what, and what they leave.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

const Epoch kEpoch = *Epoch::parse("abcdefgh");
const Epoch kNext = *Epoch::parse("abcdefgi");

std::string poll_text(const std::string& body, int wait) {
  return "POST /stream?wait=" + std::to_string(wait) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}
std::string get_text(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}
std::string since(const std::string& channel, int offset) {
  return R"({"channel":")" + channel + R"(","since":{"epoch":"abcdefgh","offset":)" +
         std::to_string(offset) + "}}";
}
std::string channels(const std::string& list, const std::string& more = "") {
  return R"({"channels":[)" + list + "]" + more + "}";
}

/// Polls of a bus that the test plays.
class Polls : public testing::Test {
 protected:
  Polls() {
    auto made = std::make_unique<FakeBus>();
    bus = made.get();
    gateway.bus = std::move(made);
  }
  void start() {
    gateway.start();
    client = std::make_unique<SocketClient>(gateway.port());
  }
  bool watched(std::size_t count) {
    return eventually([&] { return bus->watches().size() == count; });
  }
  bool has_read(std::size_t count) {
    return eventually([&] { return bus->reads().size() == count; });
  }
  bus::Alias alias(std::size_t watch) { return bus->watches()[watch].alias; }
  void answer_read(std::size_t which, Head head, std::vector<std::uint64_t> offsets,
                   std::uint64_t to, std::optional<Error> error = std::nullopt) {
    const FakeBus::Read read = bus->reads()[which];
    bus->say([=](bus::BusSink& sink) {
      std::vector<PublicationView> publications(offsets.size());
      for (std::size_t i = 0; i < offsets.size(); ++i) {
        publications[i].offset = {offsets[i]};
        publications[i].payload = "0";
      }
      bus::Page page;
      page.id = read.id;
      page.error = error;
      page.head = head;
      page.after = {read.after};
      page.to = {to};
      page.publications = publications;
      sink.on_page(page);
    });
  }
  std::string receive(SocketClient& from) { return body_of(from.request("")); }
  std::string receive() { return receive(*client); }
  static std::string message(const std::string& channel, int offset) {
    return R"({"event":"message","channel":")" + channel + R"(","offset":)" +
           std::to_string(offset) + R"(,"message":0})";
  }
  LocalGateway gateway;
  FakeBus* bus;
  std::unique_ptr<SocketClient> client;
};

TEST_F(Polls, SubscribeFirstAndTellWhereToGoOn) {
  start();
  client->send_bytes(poll_text(channels(R"({"channel":"a"},{"channel":"b"})"), 30));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  EXPECT_EQ(receive(), R"({"events":[{"event":"subscribed","channel":"b"},)"
                       R"({"event":"subscribed","channel":"a","epoch":"abcdefgh","offset":5}],)"
                       R"("cursor":"1.abcdefgh-5.-"})");
}

TEST_F(Polls, AnswerAtOnceWithWhatWasMissed) {
  start();
  client->send_bytes(poll_text(channels(since("a", 3) + "," + since("b", 9)), 30));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  bus->answer_watch(alias(1), Head{kEpoch, {9}, {0}});
  ASSERT_TRUE(has_read(1));
  EXPECT_EQ(bus->reads()[0].after, 3U);
  answer_read(0, {kEpoch, {5}, {0}}, {4, 5}, 5);
  EXPECT_EQ(receive(), R"({"events":[)" + message("a", 4) + "," + message("a", 5) +
                           R"(],"cursor":"1.abcdefgh-5.abcdefgh-9"})");
}

TEST_F(Polls, WaitForTheFirstThatMoves) {
  start();
  client->send_bytes(poll_text(
      channels(R"({"channel":"a"},{"channel":"b"})", R"(,"cursor":"1.abcdefgh-5.-")"), 30));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  bus->answer_watch(alias(1));
  bus->settle();
  EXPECT_TRUE(client->quiet_for(std::chrono::milliseconds(50)));
  bus->deliver(alias(0), "0", kEpoch, 6);
  ASSERT_TRUE(has_read(1));
  bus->deliver(alias(1), R"("while it is read")");
  bus->settle();
  answer_read(0, {kEpoch, {6}, {0}}, {6}, 6);
  EXPECT_EQ(receive(),
            R"({"events":[{"event":"message","channel":"b","message":"while it is read"},)" +
                message("a", 6) + R"(],"cursor":"1.abcdefgh-6.-"})");
  EXPECT_TRUE(eventually([&] { return bus->unwatches().size() == 2; }));
}

TEST_F(Polls, SayAfterWhichGapNothingWasDue) {
  start();
  client->send_bytes(poll_text(channels(since("a", 3)), 30));
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {9}, {0}});
  ASSERT_TRUE(has_read(1));
  answer_read(0, {kEpoch, {9}, {0}}, {6}, 8);
  EXPECT_EQ(receive(),
            R"({"events":[{"event":"message","channel":"a","offset":6,"after":5,"message":0}],)"
            R"("cursor":"abcdefgh-8"})");
}

TEST_F(Polls, ReadOnOverAPageWithNothingDue) {
  start();
  client->send_bytes(poll_text(channels(since("a", 3)), 30));
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {9}, {0}});
  ASSERT_TRUE(has_read(1));
  answer_read(0, {kEpoch, {9}, {0}}, {}, 8);
  ASSERT_TRUE(has_read(2));
  EXPECT_EQ(bus->reads()[1].after, 8U);
  answer_read(1, {kEpoch, {9}, {0}}, {9}, 9);
  EXPECT_EQ(receive(), R"({"events":[)" + message("a", 9) + R"(],"cursor":"abcdefgh-9"})");
}

TEST_F(Polls, TellAPastThatIsGone) {
  start();
  client->send_bytes(poll_text(channels(since("a", 3) + "," + since("b", 7)), 30));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), Head{kNext, {1}, {0}});
  bus->answer_watch(alias(1), Head{kEpoch, {6}, {0}});
  ASSERT_TRUE(has_read(2));
  answer_read(0, {kNext, {1}, {0}}, {}, 0, fail(ErrorCode::position_lost, ""));
  answer_read(1, {kEpoch, {6}, {0}}, {}, 6);
  EXPECT_EQ(receive(), R"({"events":[)"
                       R"({"event":"reset","channel":"a","epoch":"abcdefgi","offset":1},)"
                       R"({"event":"reset","channel":"b","epoch":"abcdefgh","offset":6}],)"
                       R"("cursor":"1.abcdefgi-1.abcdefgh-6"})");
}

TEST_F(Polls, EndEmptyWhenTheirTimeIsOverAndKeepTheConnection) {
  start();
  for (int i = 0; i < 2; ++i) {
    client->send_bytes(poll_text(channels(since("a", 5)), 0));
    ASSERT_TRUE(watched(static_cast<std::size_t>(i) + 1));
    bus->answer_watch(alias(static_cast<std::size_t>(i)), Head{kEpoch, {5}, {0}});
    EXPECT_EQ(receive(), R"({"events":[],"cursor":"abcdefgh-5"})");
    ASSERT_TRUE(eventually([&] { return bus->unwatches().size() == bus->watches().size(); }));
  }
  EXPECT_EQ(gateway.metric("peal_connections"), 1);
}

TEST_F(Polls, EndWhenTheGatewayDrains) {
  start();
  client->send_bytes(poll_text(channels(since("a", 5)), 30));
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  bus->settle();
  gateway.shards().drain(std::chrono::milliseconds(1), [] {});
  const std::string answer = client->read_all();
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(body_of(answer), R"({"events":[],"cursor":"abcdefgh-5"})");
}

/// How long after the first of them the last of ten polls is answered by a drain.
std::chrono::milliseconds spread_of_answers(std::chrono::milliseconds time) {
  LocalGateway gateway;
  gateway.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().send_bytes(poll_text(channels(R"({"channel":"a"})", R"(,"cursor":"-")"), 30));
  }
  EXPECT_TRUE(eventually([&] { return gateway.metric("peal_http_requests_total") == 10; }));
  gateway.shards().drain(time, [] {});
  std::vector<std::chrono::steady_clock::time_point> answered;
  for (auto& client : clients) {
    EXPECT_NE(client.read_all().find(R"({"events":[)"), std::string::npos);
    answered.push_back(std::chrono::steady_clock::now());
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(answered.back() - answered.front());
}

TEST(PollsOfADrain, AreAnsweredOneAfterTheOther) {
  std::chrono::milliseconds time(
      400);  // a busy machine may look late, but not each time for longer
  while (spread_of_answers(time) < time / 4 && !testing::Test::HasFailure()) {
    time *= 4;
    ASSERT_LT(time, std::chrono::seconds(10));
  }
}

TEST_F(Polls, AreForgottenWhenTheClientGoes) {
  start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().send_bytes(poll_text(channels(since("a", 5)), 30));
  }
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  for (int i = 0; i < 5; ++i) {
    if (i % 2 == 0)
      clients[static_cast<std::size_t>(i)].abort();
    else
      clients[static_cast<std::size_t>(i)].close_writing();
  }
  EXPECT_TRUE(eventually([&] { return gateway.metric("peal_connections") == 2; }));
  EXPECT_EQ(bus->unwatches().size(), 0U) << "one still waits";
  clients[5].close();
  EXPECT_TRUE(eventually([&] { return bus->unwatches().size() == 1; }));
  EXPECT_EQ(gateway.metric("peal_channels"), 0);
}

TEST_F(Polls, TellWhatIsRefusedForGoodAndFailWhenItIsForNow) {
  start();
  client->send_bytes(poll_text(channels(R"({"channel":"a"},{"channel":"b"})"), 30));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(0), std::nullopt, fail(ErrorCode::permission_denied, "never"));
  bus->answer_watch(alias(1));
  EXPECT_EQ(receive(), R"({"events":[{"event":"unsubscribed","channel":"a",)"
                       R"("code":"permission_denied","message":"never","temporary":false},)"
                       R"({"event":"subscribed","channel":"b"}],"cursor":"1.*.-"})");
  bus->link(false);
  bus->settle();
  const std::string answer = client->request(poll_text(channels(since("a", 5)), 30));
  EXPECT_EQ(answer.substr(9, 3), "503");
  EXPECT_NE(answer.find("Retry-After"), std::string::npos);
}

TEST_F(Polls, WaitForAPageOfHistory) {
  gateway.rules[0].public_cache = true;
  start();
  SocketClient other(gateway.port());
  const std::string request = get_text("/channels/a?since=abcdefgh-5&limit=7&wait=30");
  client->send_bytes(request);
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  other.send_bytes(request);
  ASSERT_TRUE(eventually([&] { return gateway.metric("peal_http_requests_total") == 2; }));
  EXPECT_TRUE(client->quiet_for(std::chrono::milliseconds(50)));
  EXPECT_TRUE(bus->reads().empty());
  bus->deliver(alias(0), "0", kEpoch, 6);
  ASSERT_TRUE(eventually([&] { return !bus->reads().empty(); }));
  bus->settle();
  for (std::size_t i = 0; i < bus->reads().size(); ++i)
    answer_read(i, {kEpoch, {6}, {0}}, {6}, 6);
  const std::string first = client->request("");
  EXPECT_NE(first.find("Cache-Control: public, max-age=60\r\n"), std::string::npos) << first;
  EXPECT_EQ(first.find("Vary:"), first.rfind("Vary:")) << first;
  EXPECT_EQ(body_of(first),
            R"({"epoch":"abcdefgh","offset":6,"publications":[{"offset":6,"message":0}]})");
  EXPECT_EQ(body_of(first), receive(other));
}

TEST_F(Polls, OfHistoryEndEmptyAndSayWhenThePastIsGone) {
  start();
  client->send_bytes(get_text("/channels/a?since=abcdefgh-5&wait=0"));
  ASSERT_TRUE(watched(1));
  bus->answer_watch(alias(0), Head{kEpoch, {5}, {0}});
  ASSERT_TRUE(has_read(1));
  answer_read(0, {kEpoch, {5}, {0}}, {}, 5);
  const std::string empty = client->request("");
  EXPECT_NE(empty.find("Cache-Control: private, no-store\r\n"), std::string::npos) << empty;
  EXPECT_EQ(body_of(empty), R"({"epoch":"abcdefgh","offset":5,"publications":[]})");
  client->send_bytes(get_text("/channels/a?since=abcdefgi-5&wait=30"));
  ASSERT_TRUE(watched(2));
  bus->answer_watch(alias(1), Head{kEpoch, {5}, {0}});
  ASSERT_TRUE(has_read(2));
  answer_read(1, {kEpoch, {5}, {0}}, {}, 0, fail(ErrorCode::position_lost, "gone"));
  EXPECT_EQ(client->request("").substr(9, 3), "410");
  for (const char* wrong : {"since=abcdefgh-9223372036854775808&wait=1", "since=abcdefgh--1&wait=1",
                            "since=abcdefgh-5&wait=x", "since=abcdefgh-5&reverse=true&wait=1"})
    EXPECT_EQ(client->request(get_text(std::string("/channels/a?") + wrong)).substr(9, 3), "400")
        << wrong;
}

}  // namespace
}  // namespace peal::test
