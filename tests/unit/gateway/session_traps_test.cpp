// The traps of the hot path, each over real sockets and a whole shard.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "eventually.hpp"
#include "local_gateway.hpp"
#include "session/connections.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using gateway::websocket::Event;
using gateway::websocket::Opcode;
using std::chrono::milliseconds;

class SessionTraps : public testing::Test {
 protected:
  SocketClient open(SocketClient::Options options = {}) {
    SocketClient client(gateway_.port(), options);
    client.upgrade();
    return client;
  }
  void publish(const std::string& channel, const std::string& message) {
    Publication publication;
    publication.payload = message;
    gateway_.shards().publish(channel, std::move(publication), nullptr);
  }
  bool metric_is(const std::string& name, double value) {
    return eventually([&] { return gateway_.metric(name) == value; });
  }
  static std::string numbered(int number, std::size_t size) {
    return "\"" + std::to_string(number) + ":" + std::string(size, 'x') + "\"";
  }
  static int number_of(const std::string& push) {
    return std::stoi(push.substr(push.find("\"message\":\"") + 11));
  }
  LocalGateway gateway_;
};

TEST_F(SessionTraps, AStoppedReaderIsClosedByBytesAndTheOthersHearEverything) {
  gateway_.config.limits.queue_bytes_max = 256 * 1024;
  gateway_.start();
  SocketClient stopped = open({.receive_buffer = 4096});
  SocketClient reader = open();
  stopped.subscribe("a");
  reader.subscribe("a");
  int sent = 0, heard = 0;
  while (gateway_.metric(R"(peal_slow_consumers_total{reason="bytes"})") == 0) {
    ASSERT_LT(sent, 5000);
    for (int i = 0; i < 20; ++i)
      publish("a", numbered(sent++, 4000));
    while (heard < sent)
      EXPECT_EQ(number_of(reader.receive()), heard++);
  }
  EXPECT_TRUE(metric_is("peal_subscriptions", 1));
  publish("a", numbered(sent, 10));
  EXPECT_EQ(number_of(reader.receive()), sent);
  // What it gets when it reads at last: whole frames in order, then Close 3000, nothing after it.
  int expected = 0;
  for (;;) {
    const SocketClient::Incoming got = stopped.receive_frame();
    if (got.kind == Event::Kind::close) {
      EXPECT_EQ(got.code, 3000);
      break;
    }
    ASSERT_EQ(got.kind, Event::Kind::message);
    EXPECT_EQ(number_of(got.payload), expected++);
  }
  EXPECT_LT(expected, sent);
  EXPECT_EQ(stopped.read_all(), "");
  stopped.close();
  EXPECT_TRUE(metric_is("peal_connections", 1));
}

TEST_F(SessionTraps, AStoppedReaderIsClosedByAgeAndDestroyedAtTheDeadline) {
  gateway_.config.limits.queue_age_max = milliseconds(300);
  gateway_.config.limits.close_timeout = milliseconds(200);
  gateway_.start();
  SocketClient stopped = open({.receive_buffer = 4096});
  stopped.subscribe("a");
  for (int i = 0; i < 200; ++i)
    publish("a", numbered(i, 4000));
  EXPECT_TRUE(metric_is(R"(peal_slow_consumers_total{reason="age"})", 1));
  EXPECT_TRUE(metric_is("peal_connections", 0));  // it never reads, so only the deadline ends it
}

TEST_F(SessionTraps, WithDropOldestAStoppedReaderStaysAndLosesWholeMessages) {
  gateway_.config.limits.queue_bytes_max = 128 * 1024;
  gateway_.rules[0].slow_consumer = gateway::SlowConsumerPolicy::drop_oldest;
  gateway_.start();
  SocketClient stopped = open({.receive_buffer = 4096});
  stopped.subscribe("a");
  int sent = 0;
  while (gateway_.metric("peal_dropped_total") < 50) {
    ASSERT_LT(sent, 5000);
    for (int i = 0; i < 20; ++i)
      publish("a", numbered(sent++, 4000));
    ASSERT_TRUE(metric_is("peal_encodes_total", sent));
  }
  int last = -1, heard = 0;
  while (last < sent - 1) {
    const int number = number_of(stopped.receive());
    EXPECT_GT(number, last);
    last = number;
    ++heard;
  }
  EXPECT_EQ(heard + gateway_.metric("peal_dropped_total"), sent);
  EXPECT_EQ(gateway_.metric("peal_sessions"), 1);
}

TEST_F(SessionTraps, ControlFramesComeBetweenFramesEvenWhenBlocked) {
  gateway_.config.limits.ping_interval = milliseconds(200);
  gateway_.config.limits.pong_timeout = milliseconds(60'000);
  gateway_.start();
  SocketClient slow = open({.receive_buffer = 4096});
  slow.subscribe("a");
  for (int i = 0; i < 30; ++i)
    publish("a", numbered(i, 30'000));
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_blocked_total") > 0; }));
  int expected = 0, pings = 0;
  while (expected < 30 || pings == 0) {
    const SocketClient::Incoming got = slow.receive_frame();
    if (got.kind == Event::Kind::ping) {
      ++pings;
    } else {
      ASSERT_EQ(got.kind, Event::Kind::message);
      EXPECT_EQ(number_of(got.payload), expected++);
    }
  }
}

TEST_F(SessionTraps, ANewSessionWithAnOldSlotHearsNothingOfTheOldOnes) {
  gateway_.start();
  for (int round = 0; round < 50; ++round) {
    {
      SocketClient old = open();
      old.subscribe("a");
      publish("a", "1");  // its delivery may be under way while it goes
      if (round % 2 == 0) old.abort();
    }
    SocketClient next = open();
    publish("a", "2");
    next.send_text(R"({"id":9,"action":"ping","payload":{}})");
    EXPECT_EQ(next.receive(), R"({"id":9,"result":{}})");
  }
  EXPECT_TRUE(metric_is("peal_connections", 0));
  EXPECT_TRUE(metric_is("peal_subscriptions", 0));
}

TEST_F(SessionTraps, APeerThatIsGoneIsNoticedWhenSendingFails) {
  gateway_.start();
  std::vector<SocketClient> gone;
  for (int i = 0; i < 20; ++i) {
    gone.push_back(open());
    gone.back().subscribe("a");
  }
  SocketClient stays = open();
  stays.subscribe("a");
  for (auto& client : gone)
    client.abort();
  publish("a", "1");
  EXPECT_EQ(stays.receive(), R"({"event":"message","channel":"a","message":1})");
  EXPECT_TRUE(metric_is("peal_subscriptions", 1));
}

TEST_F(SessionTraps, TooManyPingsCloseAndPongsAreCapped) {
  gateway_.config.limits.control_frames_per_second_max = 20;
  gateway_.start();
  SocketClient client = open();
  for (int i = 0; i < 2000; ++i) {
    try {
      client.send_frame(Opcode::ping, "x");
    } catch (const std::runtime_error&) {
      break;
    }
  }
  int pongs = 0;
  std::uint16_t code = 0;
  while (code == 0) {
    const SocketClient::Incoming got = client.receive_frame();
    if (got.kind == Event::Kind::pong) ++pongs;
    if (got.kind == Event::Kind::close) code = got.code;
  }
  EXPECT_EQ(code, 3002);
  EXPECT_LE(pongs, 40);
}

TEST_F(SessionTraps, ASilentPeerIsClosedAndAnAnsweringOneIsNot) {
  gateway_.config.limits.ping_interval = milliseconds(200);
  gateway_.config.limits.pong_timeout = milliseconds(2000);  // a busy machine's answer in time
  gateway_.start();
  SocketClient silent = open(), polite = open();
  std::uint16_t code = 0;
  while (code == 0) {
    if (!polite.quiet_for(milliseconds(10))) {
      const SocketClient::Incoming got = polite.receive_frame();
      ASSERT_EQ(got.kind, Event::Kind::ping);
      polite.send_frame(Opcode::pong, got.payload);
    }
    if (!silent.quiet_for(milliseconds(1))) {
      const SocketClient::Incoming got = silent.receive_frame();
      if (got.kind == Event::Kind::close) code = got.code;
    }
  }
  EXPECT_EQ(code, 3001);
  silent.close();
  EXPECT_TRUE(metric_is("peal_sessions", 1));
}

TEST_F(SessionTraps, ABrokenFrameClosesAndWhatCameBeforeIsAnswered) {
  gateway_.start();
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"ping","payload":{}})");
  client.send_bytes(std::string("\x81\x02hi", 4));  // not masked
  client.send_text(R"({"id":2,"action":"ping","payload":{}})");
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{}})");
  EXPECT_EQ(client.receive_close(), 1002);
}

TEST_F(SessionTraps, AClientsCloseIsAnsweredAndItsSubscriptionsGo) {
  gateway_.start();
  SocketClient client = open();
  client.subscribe("a");
  client.send_frame(Opcode::close, std::string("\x03\xe8", 2));
  EXPECT_EQ(client.receive_close(), 1000);
  EXPECT_EQ(client.read_all(), "");
  EXPECT_TRUE(metric_is("peal_subscriptions", 0));
  client.close();
  EXPECT_TRUE(metric_is("peal_connections", 0));
}

TEST_F(SessionTraps, AFrameThatComesByteByByteIsUnderstood) {
  gateway_.start();
  SocketClient client = open();
  std::string frame = "\x81\xa6";
  frame += std::string(4, '\0') + R"({"id":1,"action":"ping","payload":{ }})";
  for (const char byte : frame)
    client.send_bytes({&byte, 1});
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{}})");
}

TEST_F(SessionTraps, AMessageBiggerThanTheBufferIsUnderstoodAndPassedOn) {
  gateway_.start();
  SocketClient client = open();
  client.subscribe("a");
  const std::string big = "\"" + std::string(500'000, 'y') + "\"";
  EXPECT_EQ(client.command("publish", R"({"channel":"b","message":)" + big + "}"),
            R"({"id":2,"result":{}})");
  client.send_text(R"({"action":"publish","payload":{"channel":"a","message":)" + big + "}}");
  EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":)" + big + "}");
}

TEST_F(SessionTraps, WithoutDescriptorsConnectionsAreTurnedAwayAndComeBackLater) {
  gateway_.start();
  SocketClient before = open();
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const int highest = ::dup(0);
  ::close(highest);
  const rlimit tight{static_cast<rlim_t>(highest) + 1,
                     old.rlim_max};  // room for the client's own end
  ::setrlimit(RLIMIT_NOFILE, &tight);
  std::string answer = "not tried";
  try {
    SocketClient refused(gateway_.port());
    answer = refused.read_all();
  } catch (const std::exception& error) {
    answer = error.what();
  }
  ::setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(answer, "");
  EXPECT_GE(gateway_.metric("peal_accepts_refused_total"), 1);
  EXPECT_EQ(before.command("ping", "{}"), R"({"id":1,"result":{}})");
  EXPECT_EQ(open().command("ping", "{}"), R"({"id":1,"result":{}})");
}

TEST_F(SessionTraps, LimitsAreToldByName) {
  gateway_.config.limits.subscriptions_max = 2;
  gateway_.config.limits.commands_per_second_max = 5;
  gateway_.config.limits.sessions_max = 1;
  gateway_.start();
  SocketClient client = open();
  client.subscribe("a");
  client.subscribe("b");
  EXPECT_NE(client.subscribe("c").find("limits.subscriptions_max"), std::string::npos);
  EXPECT_EQ(gateway_.metric(R"(peal_errors_total{code="subscriptions_max"})"), 1);
  std::string last;
  for (int i = 0; i < 20; ++i)
    last = client.command("ping", "{}");
  EXPECT_NE(last.find("limits.commands_per_second_max"), std::string::npos);
  SocketClient second(gateway_.port());
  EXPECT_THROW(second.upgrade(), std::runtime_error);
  EXPECT_EQ(gateway_.metric(R"(peal_errors_total{code="sessions_max"})"), 1);
}

TEST_F(SessionTraps, WhatIsNotBuiltYetSaysSo) {
  gateway_.start();
  SocketClient client = open();
  EXPECT_NE(client.command("refresh", R"({"token":"x"})").find("not available yet"),
            std::string::npos);
}

TEST_F(SessionTraps, AChunkHeaderWithoutEndDoesNotKeepTheShardBusy) {
  gateway_.start();
  SocketClient client(gateway_.port());
  client.send_bytes(
      "POST /command HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;" +
      std::string(60'000, 'x'));
  const std::string answer = client.request(std::string(60'000, 'x'));
  EXPECT_NE(answer.find("header_too_large"), std::string::npos);
}

/// Connections on a clock of the test's own.
class ConnectionsClock : public testing::Test, public gateway::ConnectionOwner {
 protected:
  using Connection = gateway::Connection;
  void on_input(Connection&, std::span<char>& input) override { input = {}; }
  bool paused(const Connection&) const override { return false; }
  void on_resumed(Connection&) override {}
  void on_writable(Connection&) override {}
  void on_timer(Connection&) override { ++timers; }
  bool on_peer_ended(Connection&) override { return false; }
  void on_too_slow(Connection&, gateway::SlowReason) override {}
  void on_gone(Connection&) override {}

  void turn(std::chrono::steady_clock::duration passed) {
    connections.set_now(begin + passed);
    connections.tick();
    connections.end_turn();
  }

  const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  int timers = 0;
  Limits limits;
  gateway::Loop loop;
  gateway::GatewayProbe probe;
  gateway::Connections connections{loop, *this, limits, nullptr, nullptr, probe, runtime::Logger(),
                                   begin};
};

TEST_F(ConnectionsClock, GoesOnWhereACountOfMillisecondsWraps) {
  const auto wrap = milliseconds(std::uint64_t{1} << 32U);
  auto listener = gateway::open_listeners("127.0.0.1:0", 1);
  ASSERT_TRUE(listener.has_value());
  const auto port = listener->address.substr(listener->address.rfind(':') + 1);
  turn(wrap - std::chrono::seconds(5));
  SocketClient client(static_cast<std::uint16_t>(std::stoi(port)));
  ASSERT_TRUE(eventually([&] {
    connections.accept_some(listener->sockets[0].get());
    return connections.alive() == 1;
  }));
  const std::uint32_t before = connections.now_s();
  for (int seconds = -5; seconds < 4; ++seconds)
    turn(wrap + std::chrono::seconds(seconds));
  EXPECT_EQ(timers, 0) << "header_timeout is 10 s";
  EXPECT_EQ(connections.now_s() - before, 8U);
  turn(wrap + std::chrono::seconds(6));
  EXPECT_EQ(timers, 1);
}

}  // namespace
}  // namespace peal::test
