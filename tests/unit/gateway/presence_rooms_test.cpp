// A shard's presence: what sessions are told of who is there, against a bus that the test plays and
// against the embedded one.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using What = bus::PresenceEvent::What;

constexpr auto kSoon = std::chrono::milliseconds(50);

gateway::ChannelRule rule_for(const std::string& pattern) {
  gateway::ChannelRule rule;
  rule.pattern = pattern;
  rule.subscribe = rule.publish = "anyone";
  rule.presence = pattern == "hall" ? "nobody" : "anyone";
  return rule;
}

class PresenceRoomsTest : public testing::Test {
 protected:
  PresenceRoomsTest() {
    auto bus = std::make_unique<FakeBus>();
    bus_ = bus.get();
    gateway_.bus = std::move(bus);
    gateway_.rules = {rule_for("hall"), rule_for("*")};
    gateway_.start();
    client_.emplace(open());
    client_->send_text(kSubscribe);
    EXPECT_TRUE(eventually([&] { return bus_->watches().size() == 1; }));
    alias_ = bus_->watches()[0].alias;
    bus_->answer_watch(alias_);
    EXPECT_EQ(client_->receive(), R"({"id":1,"result":{"channel":"a"}})");
  }
  SocketClient open() {
    SocketClient client(gateway_.port());
    client.upgrade();
    return client;
  }
  FakeBus::Who asked(std::size_t count) {
    EXPECT_TRUE(eventually([&] { return bus_->whos().size() == count; }));
    return bus_->whos().back();
  }
  /// Answers the last question with as many anonymous sessions.
  void answer(std::vector<std::string> sessions, std::uint64_t digest, bool settled = true,
              bool more = false) {
    bus_->say([=, id = bus_->whos().back().id](bus::BusSink& sink) {
      std::vector<bus::Member> members;
      for (const std::string& session : sessions)
        members.push_back({session, {}, {}});
      bus::PresenceAnswer answer;
      answer.id = id;
      answer.members = members;
      answer.sessions = answer.users = sessions.size();
      answer.digest = digest;
      answer.settled = settled;
      answer.more = more;
      sink.on_presence(answer);
    });
  }
  void tell(What what, const bus::Member& member = {}) {
    bus_->say([=, this](bus::BusSink& sink) {
      const bus::PresenceEvent event{alias_, what, member};
      sink.on_presence_events({&event, 1});
    });
  }
  static std::string set(const std::string& members, int count) {
    return R"({"event":"presence","channel":"a","members":[)" + members + R"(],"count":)" +
           std::to_string(count) + R"(,"users":)" + std::to_string(count) + "}";
  }
  static std::string member(const std::string& session) {
    return R"({"session":")" + session + "\"}";
  }

  static constexpr const char* kSubscribe =
      R"({"id":1,"action":"subscribe","payload":{"channel":"a","presence":true,"data":{"n": 1}}})";
  LocalGateway gateway_;
  FakeBus* bus_;
  std::optional<SocketClient> client_;
  bus::Alias alias_;
};

TEST_F(PresenceRoomsTest, TheSetComesBehindTheResultAndThenWhoComesAndGoes) {
  const FakeBus::Who who = asked(1);
  EXPECT_EQ(who.channel, "a");
  EXPECT_EQ(who.limit, Limits{}.presence_page_max);
  ASSERT_EQ(bus_->comings().size(), 1U);
  const FakeBus::Coming entered = bus_->comings()[0];
  EXPECT_EQ(entered.data, R"({"n": 1})");
  EXPECT_FALSE(entered.leaves);
  tell(What::join, {entered.session, {}, {}});  // its own: not told, it is in the set
  answer({entered.session}, 7);
  EXPECT_EQ(client_->receive(), set(member(entered.session), 1));
  tell(What::join, {"s2", "bob", "[2]"});
  tell(What::leave, {"s2", "bob", {}});
  EXPECT_EQ(client_->receive(),
            R"({"event":"join","channel":"a","member":{"session":"s2","user":"bob","data":[2]}})");
  EXPECT_EQ(client_->receive(),
            R"({"event":"leave","channel":"a","member":{"session":"s2","user":"bob"}})");
  EXPECT_EQ(gateway_.metric("peal_presence_listeners"), 1);
  client_->close();
  EXPECT_TRUE(eventually([&] { return bus_->comings().size() == 2; }));
  EXPECT_TRUE(bus_->comings()[1].leaves);
  EXPECT_EQ(bus_->comings()[1].session, entered.session);
  EXPECT_TRUE(eventually([&] { return gateway_.metric("peal_presence_listeners") == 0; }));
}

TEST_F(PresenceRoomsTest, ManyWhoComeAtOnceShareAQuestionAndItsAnswer) {
  std::vector<SocketClient> crowd;
  for (int i = 0; i < 20; ++i) {
    crowd.push_back(open());
    crowd.back().send_text(kSubscribe);
    EXPECT_EQ(crowd.back().receive(), R"({"id":1,"result":{"channel":"a"}})");
  }
  asked(1);
  answer({"s1"}, 7);
  EXPECT_EQ(client_->receive(), set(member("s1"), 1));
  asked(2);
  answer({"s1", "s2"}, 7);
  const std::string both = set(member("s1") + "," + member("s2"), 2);
  for (SocketClient& client : crowd)
    EXPECT_EQ(client.receive(), both);
  EXPECT_TRUE(client_->quiet_for(kSoon)) << "the set is the one that it was told";
  EXPECT_EQ(bus_->whos().size(), 2U);
}

TEST_F(PresenceRoomsTest, AfterTheBusCameBackOnlyAnotherSetIsToldAgain) {
  asked(1);
  answer({"s1"}, 7);
  client_->receive();
  tell(What::join, {"s2", {}, {}});
  client_->receive();
  const std::uint64_t digest = 7 ^ bus::presence_key({"s2", {}, {}});
  bus_->answer_watch(alias_);  // once more: the link came back
  EXPECT_EQ(asked(2).limit, 0U);
  EXPECT_EQ(bus_->comings().size(), 2U) << "entered again";
  answer({}, digest);
  EXPECT_TRUE(client_->quiet_for(kSoon));
  bus_->answer_watch(alias_);
  asked(3);
  answer({}, 99);
  EXPECT_EQ(asked(4).limit, Limits{}.presence_page_max);
  answer({"s3"}, 99);
  EXPECT_EQ(client_->receive(), set(member("s3"), 1));
}

TEST_F(PresenceRoomsTest, ACoreThatHasJustStartedIsBelievedWhenItSaysSo) {
  asked(1);
  answer({"s1"}, 7);
  client_->receive();
  bus_->answer_watch(alias_);
  asked(2);
  answer({}, 3, false);
  SocketClient late = open();
  late.send_text(kSubscribe);
  EXPECT_EQ(late.receive(), R"({"id":1,"result":{"channel":"a"}})");
  asked(3);
  answer({"s9"}, 3, false);
  EXPECT_EQ(late.receive(), set(member("s9"), 1)) << "what is known so far";
  EXPECT_TRUE(client_->quiet_for(kSoon));
  tell(What::changed);
  asked(4);
  answer({"s1", "s9"}, 7);
  const std::string both = set(member("s1") + "," + member("s9"), 2);
  EXPECT_EQ(late.receive(), both);
  EXPECT_EQ(client_->receive(), both) << "not all had been told the same";
}

TEST_F(PresenceRoomsTest, AQuestionThatTheLostBusTookIsAskedAgain) {
  asked(1);
  bus_->say([id = bus_->whos().back().id](bus::BusSink& sink) {
    bus::PresenceAnswer answer;
    answer.id = id;
    answer.error = fail(ErrorCode::broker_unavailable, "gone");
    sink.on_presence(answer);
  });
  bus_->answer_watch(alias_);
  asked(2);
  answer({"s1"}, 7);
  EXPECT_EQ(client_->receive(), set(member("s1"), 1));
}

TEST_F(PresenceRoomsTest, ACoreThatKeepsNobodySaysSoOnce) {
  asked(1);
  bus_->say([id = bus_->whos().back().id](bus::BusSink& sink) {
    bus::PresenceAnswer answer;
    answer.id = id;
    answer.error = fail(ErrorCode::permission_denied, "no rule");
    sink.on_presence(answer);
  });
  EXPECT_NE(client_->receive().find(R"({"event":"error","code":"permission_denied")"),
            std::string::npos);
  const std::string session = bus_->comings()[0].session;
  tell(What::refused, {session, {}, {}});
  EXPECT_NE(client_->receive().find(R"({"event":"error","code":"overloaded")"), std::string::npos);
}

TEST_F(PresenceRoomsTest, AskingNeedsTheRuleButNoSubscription) {
  SocketClient other = open();
  EXPECT_NE(other.command("presence", R"({"channel":"hall"})").find("permission_denied"),
            std::string::npos);
  EXPECT_NE(
      other.command("subscribe", R"({"channel":"hall","presence":true})").find("permission_denied"),
      std::string::npos);
  asked(1);
  other.send_text(
      R"({"id":5,"action":"presence","payload":{"channel":"b","limit":2,"after":"s0"}})");
  other.send_text(R"({"id":6,"action":"unsubscribe","payload":{"channel":"b"}})");
  const FakeBus::Who who = asked(2);
  EXPECT_EQ(who.limit, 2U);
  EXPECT_EQ(who.after, "s0");
  answer({"s1", "s2"}, 7, true, true);
  EXPECT_EQ(
      other.receive(),
      R"({"id":5,"result":{"members":[{"session":"s1"},{"session":"s2"}],"count":2,"users":2,"next":"s2"}})");
  EXPECT_EQ(other.receive(), R"({"id":6,"result":{"channel":"b"}})") << "replies keep their order";
}

TEST_F(PresenceRoomsTest, DataOverItsLimitIsRefused) {
  const std::string data(2000, '1');
  EXPECT_NE(open()
                .command("subscribe", R"({"channel":"c","presence":true,"data":)" + data + "}")
                .find("limits.presence_data_bytes_max"),
            std::string::npos);
  EXPECT_EQ(bus_->watches().size(), 1U) << "nothing was subscribed";
}

TEST(PresenceOverTheEmbeddedBus, SessionsOfSeveralShardsSeeEachOther) {
  LocalGateway gateway;
  gateway.config.shards = 3;
  gateway.rules = {rule_for("*")};
  gateway.options_of = [](std::string_view) {
    broker::ChannelOptions options;
    options.presence = options.occupancy = true;
    return options;
  };
  gateway.start();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(gateway.port());
    clients.back().upgrade();
    clients.back().send_text(
        R"({"id":1,"action":"subscribe","payload":{"channel":"a","presence":true}})");
    clients.back().receive();
    const std::string first = clients.back().receive();
    EXPECT_NE(first.find(R"("event":"presence")"), std::string::npos) << first;
    EXPECT_NE(first.find("\"count\":" + std::to_string(i + 1)), std::string::npos) << first;
    for (int heard = 0; heard < i; ++heard)
      EXPECT_NE(clients[heard].receive().find(R"("event":"join")"), std::string::npos);
  }
  while (clients.size() > 1) {
    clients.pop_back();
    for (SocketClient& client : clients)
      EXPECT_NE(client.receive().find(R"("event":"leave")"), std::string::npos);
  }
  const std::string counts = R"({"action":"presence","payload":{"channel":"a","limit":0}})";
  SocketClient http(gateway.port());
  const std::string answer =
      http.request("POST /command HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " +
                   std::to_string(counts.size()) + "\r\n\r\n" + counts);
  EXPECT_NE(answer.find(R"({"result":{"members":[],"count":1,"users":1}})"), std::string::npos)
      << answer;
}

}  // namespace
}  // namespace peal::test
