// The two ends of links wired together in one thread: sessions of gateways on one side, the
// broker's router and core on the other, a network in between that the test holds in its hands.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "bus/turn_results.hpp"
#include "bus/zmq_session.hpp"
#include "log_capture.hpp"
#include "recording_sink.hpp"
#include "server/router.hpp"

namespace peal::bus {
namespace {

using namespace std::chrono_literals;
using Status = Published::Status;
using test::publish_request;

constexpr std::uint32_t kPorts = 2;

/// One gateway's bus thread without its thread: results go straight to a recording sink per port.
class Peer final : public SessionOwner {
 public:
  Peer(std::string name, const Limits& limits, LinkTime now, std::string cluster = "peal")
      : session(*this, make_hello(std::move(cluster), std::move(name), 1, limits), {}, kPorts,
                limits.batch_bytes_max, now) {}

  Sent send(wire::Message& message) override {
    outbox.push_back(std::move(message));
    return Sent::ok;
  }
  TurnResults& results(std::uint32_t port) override { return ports[port].results; }
  void deliver(std::uint32_t port, Alias alias, const Epoch& epoch,
               const PublicationView& publication) override {
    TurnResults& to = results(port);
    to.deliver(alias, epoch, to.keep(publication));
  }
  bool on_head(std::uint32_t, const HeadNotice&) override { return true; }
  bool on_presence_event(std::uint32_t, Alias) override { return true; }
  ZmqQueries* queries() override { return &questions; }

  void watch(std::uint32_t port, Alias alias, std::string_view channel) {
    ports[port].watched.add(alias, 0);
    session.watch(port, alias, channel);
  }
  void hand_over() {
    for (Port& port : ports) {
      port.results.hand_over(port.sink, port.watched);
      port.results.reset();
    }
  }
  test::RecordingSink& sink(std::uint32_t port = 0) { return ports[port].sink; }

  struct Port {
    TurnResults results;
    WatchedAliases watched;
    test::RecordingSink sink;
  };
  std::deque<wire::Message> outbox;  ///< to the broker
  std::deque<wire::Message> inbox;   ///< from the broker
  std::array<Port, kPorts> ports;
  WakeDescriptor wake;
  ZmqQueries questions{wake};
  ZmqSession session;
};

class ZmqRouterTest : public testing::Test, public broker::Transport {
 protected:
  explicit ZmqRouterTest(std::size_t credit = 4 * 1024 * 1024) {
    limits.link_credit_bytes = credit;
  }

  using Sent = MessageSink::Sent;

  Sent send(const broker::LinkKey& key, wire::Message& message) override {
    if (closed.contains(key)) return Sent::gone;
    if (strangers.contains(key)) {
      strangers[key].push_back(std::move(message));
      return Sent::ok;
    }
    const auto peer = peers.find(key);
    if (peer == peers.end()) return Sent::gone;
    ++messages_from_broker;
    peer->second->inbox.push_back(std::move(message));
    return Sent::ok;
  }
  broker::Router& router() {
    if (!router_) {
      broker::RouterConfig config{make_hello("peal", "broker", 2, limits), {}, limits};
      const auto options_of = [](std::string_view channel) {
        broker::ChannelOptions options;
        options.recoverable = channel.starts_with("log:");
        return options;
      };
      router_ = std::make_unique<broker::Router>(
          config, options_of, *this, [n = 1ULL]() mutable { return n++; }, probe,
          runtime::Logger(log));
    }
    return *router_;
  }
  Peer& join(const std::string& key, const std::string& name) {
    router();
    auto made = std::make_unique<Peer>(name, limits, now);
    Peer& peer = *made;
    peers[key] = std::move(made);
    settle();
    return peer;
  }
  /// One turn of everybody; messages take one turn each way.
  void turn() {
    now += 10ms;
    router().begin_turn(now);
    for (auto& [key, peer] : peers) {
      while (!peer->outbox.empty()) {
        const wire::Message message = std::move(peer->outbox.front());
        peer->outbox.pop_front();
        router().on_message(key, message.header, message.body);
      }
    }
    router().end_turn();
    for (auto& [key, peer] : peers) {
      peer->session.on_turn(now);
      while (!peer->inbox.empty() && !frozen.contains(key)) {
        const wire::Message message = std::move(peer->inbox.front());
        peer->inbox.pop_front();
        peer->session.on_message(message.header, message.body, now);
      }
      if (!frozen.contains(key)) peer->session.flush(now);
      peer->hand_over();
    }
  }
  void settle(int turns = 6) {
    for (int i = 0; i < turns; ++i)
      turn();
  }
  double metric(std::string_view name) {
    struct Sink final : runtime::MetricSink {
      std::string_view wanted;
      double found = 0;
      void counter(std::string_view n, std::string_view, double value, runtime::Labels) override {
        if (n == wanted) found = value;
      }
      void gauge(std::string_view n, std::string_view h, double v, runtime::Labels l) override {
        counter(n, h, v, l);
      }
    } sink;
    sink.wanted = name;
    probe.collect(sink);
    return sink.found;
  }
  static std::vector<std::string> payloads(test::RecordingSink& sink) {
    std::vector<std::string> found;
    for (const auto& heard : sink.heard)
      found.push_back(heard.publication.payload);
    return found;
  }

  Limits limits;
  LinkTime now{std::chrono::hours(1)};
  std::shared_ptr<peal::test::LogCapture> log = std::make_shared<peal::test::LogCapture>();
  broker::RouterProbe probe;
  std::map<std::string, std::unique_ptr<Peer>> peers;
  std::map<std::string, std::vector<wire::Message>> strangers;
  std::set<std::string> closed;
  std::set<std::string> frozen;  ///< their process stands still: nothing is read, nothing sent
  std::size_t messages_from_broker = 0;

 private:
  std::unique_ptr<broker::Router> router_;
};

class TightRouterTest : public ZmqRouterTest {
 protected:
  TightRouterTest() : ZmqRouterTest(2000) {}
};

TEST_F(ZmqRouterTest, APublicationReachesEveryWatchingGatewayAndNoOther) {
  Peer& a = join("a", "gateway-a");
  Peer& b = join("b", "gateway-b");
  Peer& c = join("c", "gateway-c");
  a.watch(0, {0, 1}, "room");
  b.watch(1, {7, 3}, "room");
  c.watch(0, {0, 1}, "other");
  settle();
  const auto before = c.inbox.size();
  c.session.publish(0, publish_request("room", "1", 5));
  settle();
  EXPECT_EQ(payloads(a.sink()), std::vector<std::string>{"1"});
  EXPECT_EQ(payloads(b.sink(1)), std::vector<std::string>{"1"});
  EXPECT_EQ(b.sink(1).heard[0].alias, (Alias{7, 3}));
  EXPECT_TRUE(c.sink().heard.empty());
  EXPECT_EQ(c.inbox.size(), before);
  ASSERT_EQ(c.sink().outcomes.size(), 1U);
  EXPECT_EQ(c.sink().outcomes[0].id, 5U);
}

TEST_F(ZmqRouterTest, ShardsOfOneGatewayShareOneCopyOfAPublication) {
  Peer& a = join("a", "gateway-a");
  a.watch(0, {0, 1}, "room");
  a.watch(1, {0, 1}, "room");
  settle();
  a.session.publish(0, publish_request("room", '"' + std::string(1000, 'x') + '"'));
  a.session.flush(now);
  router().begin_turn(now);
  const auto message = std::move(a.outbox.front());
  a.outbox.pop_front();
  router().on_message("a", message.header, message.body);
  router().end_turn();
  ASSERT_EQ(a.inbox.size(), 1U);
  EXPECT_LT(a.inbox.front().body.size(), 1100U) << "the payload went twice";
  settle();
  EXPECT_EQ(a.sink(0).heard.size(), 1U);
  EXPECT_EQ(a.sink(1).heard.size(), 1U);
}

TEST_F(ZmqRouterTest, ManyPublicationsShareOneMessage) {
  Peer& a = join("a", "gateway-a");
  a.watch(0, {0, 1}, "room");
  settle();
  messages_from_broker = 0;
  for (int i = 0; i < 100; ++i)
    a.session.publish(0, publish_request("room", std::to_string(i), 1 + i));
  settle(2);
  EXPECT_EQ(a.sink().heard.size(), 100U);
  EXPECT_EQ(messages_from_broker, 1U);
}

TEST_F(TightRouterTest, WithoutCreditEphemeralOnesAreDroppedForTheLaggardAlone) {
  Peer& slow = join("slow", "gateway-slow");
  Peer& quick = join("quick", "gateway-quick");
  slow.watch(0, {0, 1}, "room");
  quick.watch(0, {0, 1}, "room");
  settle();
  frozen.insert("slow");
  const std::string payload = '"' + std::string(198, 'x') + '"';
  for (int i = 0; i < 50; ++i) {
    quick.session.publish(0, publish_request("room", payload, 1 + i));
    turn();
  }
  settle();
  EXPECT_EQ(quick.sink().heard.size(), 50U);
  EXPECT_GT(metric("peal_broker_dropped_total"), 30);
  frozen.erase("slow");
  settle();
  EXPECT_TRUE(slow.session.link().linked())
      << "dropped ones had no link number, so there is no gap";
  const auto heard = slow.sink().heard.size();
  EXPECT_EQ(heard + static_cast<std::size_t>(metric("peal_broker_dropped_total")), 50U);
  quick.session.publish(0, publish_request("room", payload, 99));
  settle();
  EXPECT_EQ(slow.sink().heard.size(), heard + 1);
}

TEST_F(TightRouterTest, WithoutCreditRecoverableOnesBecomeTheLatestHead) {
  Peer& slow = join("slow", "gateway-slow");
  Peer& quick = join("quick", "gateway-quick");
  slow.watch(0, {4, 1}, "log:room");
  settle();
  ASSERT_EQ(slow.sink().heads.size(), 1U);
  ASSERT_TRUE(slow.sink().heads[0].head);
  frozen.insert("slow");
  const std::string payload = '"' + std::string(198, 'x') + '"';
  for (int i = 0; i < 50; ++i) {
    quick.session.publish(0, publish_request("log:room", payload, 1 + i));
    turn();
  }
  settle();
  frozen.erase("slow");
  settle();
  EXPECT_GT(metric("peal_broker_replaced_by_head_total"), 30);
  ASSERT_EQ(slow.sink().heads.size(), 2U) << "one notice, however many were replaced";
  const HeadNotice& pull = slow.sink().heads[1];
  EXPECT_FALSE(pull.answer);
  EXPECT_EQ(pull.alias, (Alias{4, 1}));
  EXPECT_EQ(pull.head->top.value, 50U);
  EXPECT_EQ(pull.head->epoch, slow.sink().heads[0].head->epoch);
}

TEST_F(TightRouterTest, APeerThatTakesNoAnswersIsNotServedFurtherAndLosesNothing) {
  Peer& greedy = join("greedy", "gateway-greedy");
  frozen.insert("greedy");
  for (int i = 0; i < 300; ++i) {
    if (!greedy.session.takes_commands()) break;
    greedy.session.watch(0, {static_cast<std::uint32_t>(i), 1}, "channel:" + std::to_string(i));
    greedy.ports[0].watched.add({static_cast<std::uint32_t>(i), 1}, 0);
    greedy.session.flush(now);
  }
  for (int i = 0; i < 20; ++i)
    turn();
  frozen.erase("greedy");
  settle(20);
  EXPECT_TRUE(greedy.session.link().linked());
  EXPECT_GT(greedy.sink().heads.size(), 10U);
}

TEST_F(ZmqRouterTest, BatchesFromAnIdWithoutHelloAreAnsweredHelloRequired) {
  router();
  strangers["x"] = {};
  wire::Writer writer;
  writer.publish(publish_request("room", "1", 1));
  const auto message = writer.close({});
  router().begin_turn(now);
  router().on_message("x", message.header, message.body);
  router().end_turn();
  wire::Reader reader(wire::Direction::to_peer);
  ASSERT_EQ(strangers["x"].size(), 1U);
  ASSERT_TRUE(reader.read(strangers["x"][0].header, strangers["x"][0].body));
  EXPECT_EQ(reader.refusal()->code, ErrorCode::hello_required);
  EXPECT_EQ(metric("peal_broker_strangers_total"), 1);
  EXPECT_EQ(metric("peal_broker_links"), 0);
}

TEST_F(ZmqRouterTest, AnotherClusterIsRefusedAndNamed) {
  router();
  peers["red"] = std::make_unique<Peer>("gateway-red", limits, now, "red");
  settle();
  EXPECT_EQ(peers["red"]->session.link().why()->code, ErrorCode::cluster_mismatch);
  EXPECT_TRUE(log->said("cluster red"));
  EXPECT_TRUE(log->said("cluster peal"));
  EXPECT_EQ(metric("peal_broker_hellos_refused_total"), 1);
}

TEST_F(ZmqRouterTest, GarbageEndsItsOwnLinkAndNoOther) {
  Peer& a = join("a", "gateway-a");
  Peer& b = join("b", "gateway-b");
  a.watch(0, {0, 1}, "room");
  settle();
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string header(random() % 60, ' '), body(random() % 60, ' ');
    for (char& c : header)
      c = static_cast<char>(random());
    for (char& c : body)
      c = static_cast<char>(random());
    strangers["x" + std::to_string(i)] = {};
    router().on_message("x" + std::to_string(i), header, body);
    if (i == 1000) router().on_message("b", header + "\xff", body);
    if (i % 100 == 0) turn();
  }
  settle();
  EXPECT_EQ(b.session.link().state(), PeerLink::State::ended);
  EXPECT_TRUE(a.session.link().linked());
  EXPECT_GT(metric("peal_broker_garbage_total"), 1000);
  a.session.publish(0, publish_request("room", "1", 1));
  settle();
  EXPECT_EQ(a.sink().heard.size(), 1U);
}

TEST_F(ZmqRouterTest, WhatIsNoJsonIsRefusedAndReachesNobody) {
  Peer& a = join("a", "gateway-a");
  a.watch(0, {0, 1}, "room");
  settle();
  RequestId id = 1;
  for (const char* text : {"{\"a\":tru}", "[1,,2]", "\"\\q\"", "\"\\ud800\"", "", "1 2"}) {
    a.session.publish(0, publish_request("room", text, id++));
  }
  for (const char* text : {"9223372036854775808", "1e400", "{\"a\":1,\"a\":2}", " [ 1 ,\t2 ] "}) {
    a.session.publish(0, publish_request("room", text, id++));
  }
  settle();
  EXPECT_EQ(payloads(a.sink()), (std::vector<std::string>{"9223372036854775808", "1e400",
                                                          "{\"a\":1,\"a\":2}", " [ 1 ,\t2 ] "}));
  ASSERT_EQ(a.sink().outcomes.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(a.sink().outcomes[i].status, i < 6 ? Status::refused : Status::ok) << i;
  }
  EXPECT_EQ(a.sink().outcomes[0].error->code, ErrorCode::message_invalid);
  EXPECT_EQ(metric("peal_broker_messages_invalid_total"), 6);
}

TEST_F(ZmqRouterTest, ALostSessionTakesItsInterestAlongAndAnswersEveryPublish) {
  Peer& a = join("a", "gateway-a");
  Peer& b = join("b", "gateway-b");
  a.watch(0, {0, 1}, "room");
  settle();
  b.session.publish(1, publish_request("room", "1", 11));
  b.session.flush(now);
  b.session.publish(1, publish_request("room", "2", 12));
  b.outbox.clear();  // both are on their way, and lost
  b.session.link().end(fail(ErrorCode::broker_unavailable, "the connection was lost"));
  b.session.close(now);
  b.hand_over();
  ASSERT_EQ(b.sink(1).outcomes.size(), 2U);
  EXPECT_EQ(b.sink(1).outcomes[0].status, Status::unknown);
  EXPECT_EQ(b.sink(1).outcomes[0].id, 11U);
  EXPECT_EQ(b.sink(1).outcomes[1].status, Status::refused) << "it never left";
  closed.insert("a");
  peers.erase("a");
  for (int i = 0; i < 500; ++i) {
    now += 10ms;
    router().begin_turn(now);
    router().end_turn();
  }
  EXPECT_EQ(metric("peal_broker_links"), 0);
  std::size_t channels = 0;
  router().core().channels("", 10, [&](const auto&) { ++channels; });
  EXPECT_EQ(channels, 0U);
}

TEST_F(ZmqRouterTest, ANewerLinkOfTheSameProcessEndsTheOlder) {
  join("old", "gateway-a");
  Peer& fresh = join("new", "gateway-a");
  settle();
  EXPECT_EQ(metric("peal_broker_links"), 1);
  EXPECT_TRUE(fresh.session.link().linked());
}

TEST_F(ZmqRouterTest, TheBrokersOwnPublishesReachLinksAndAreAnswered) {
  Peer& a = join("a", "gateway-a");
  a.watch(0, {0, 1}, "room");
  settle();
  std::vector<Published> outcomes;
  const auto keep = [&](const Published& outcome) { outcomes.push_back(outcome); };
  router().publish(publish_request("room", "{}"), keep);
  router().publish(publish_request("room", "{"), keep);
  router().publish(publish_request("room", "[]"), {});
  settle();
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].status, Status::ok);
  EXPECT_EQ(outcomes[1].error->code, ErrorCode::message_invalid);
  EXPECT_EQ(payloads(a.sink()), (std::vector<std::string>{"{}", "[]"}));
}

}  // namespace
}  // namespace peal::bus
