// The client and one real server: TCP, unix socket, TLS, users, and what becomes of it when the
// server dies, freezes, is full or says no.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_runner.hpp"
#include "redis_server.hpp"

namespace peal::test {
namespace {

using redis::Answer;
using redis::Outcome;
using testing::HasSubstr;
using testing::Not;

TEST(RedisSingle, CommandsAndMessagesByTcpAndByUnixSocket) {
  RedisServer server;
  for (const std::string& address : {server.address(), server.unix_address()}) {
    SCOPED_TRACE(address);
    ClientRunner runner({.addresses = {address}});
    runner.client->subscribe("peal:news");
    ASSERT_TRUE(runner.connect()) << runner.client->trouble();
    ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 1; }));
    EXPECT_EQ(runner.ask({"SET", "a", std::string("x\0y\r\n", 5)}).reply.text, "OK");
    EXPECT_EQ(runner.ask({"GET", "a"}).reply.text, std::string("x\0y\r\n", 5));
    EXPECT_EQ(runner.ask({"PUBLISH", "peal:news", "hello"}).reply.integer, 1);
    EXPECT_TRUE(runner.run_until([&] { return runner.heard("peal:news", "hello"); }));
    ASSERT_EQ(runner.connected.size(), 1U);
    EXPECT_EQ(runner.connected[0].mastership.run_id, server.info("run_id"));
    EXPECT_EQ(runner.ask({"NOSUCH"}).outcome, Outcome::failed);
    EXPECT_THAT(runner.ask({"NOSUCH"}).error, HasSubstr(address));
  }
}

TEST(RedisSingle, APipelineIsAnsweredInOrderEachOnce) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()}});
  ASSERT_TRUE(runner.connect());
  std::vector<std::int64_t> answers;
  for (int i = 0; i < 10000; ++i) {
    runner.client->command({.args = {"INCR", "n"}},
                           [&](const Answer& a) { answers.push_back(a.reply.integer); });
  }
  ASSERT_TRUE(runner.run_until([&] { return answers.size() == 10000; }));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i], static_cast<std::int64_t>(i + 1));
  }
}

TEST(RedisSingle, SetsTheMastershipAndTheReplicas) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()}});
  ASSERT_TRUE(runner.connect());
  const Answer answer = runner.ask({.args = {"RPUSH", "m", "", "", "z"},
                                    .mastership_at = 2,
                                    .wait_replicas = 1,
                                    .wait_timeout = std::chrono::milliseconds(20)});
  EXPECT_EQ(answer.reply.integer, 3);
  EXPECT_EQ(answer.replicas, 0);
  EXPECT_EQ(server.ask({"LRANGE", "m", "0", "-1"}), "0\n" + server.info("run_id") + "\nz");
}

TEST(RedisSingle, SetsUpBeforeAnythingElse) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()}});
  runner.setup_commands = {{"SET", "ready", "yes"}, {"NOSUCH"}};
  runner.setup_verdict = "its partitions are 8, ours 16";
  ASSERT_TRUE(runner.run_until([&] { return runner.capture->said("its partitions are 8"); }));
  EXPECT_TRUE(runner.connected.empty());
  EXPECT_EQ(runner.setup_replies[0].text, "OK");
  EXPECT_TRUE(runner.setup_replies[1].is_error());
  runner.setup_verdict.clear();
  ASSERT_TRUE(runner.connect());
  EXPECT_EQ(runner.ask({"GET", "ready"}).reply.text, "yes");
}

TEST(RedisSingle, TlsNeedsACertificateThatIsTrustedAndNamesTheServer) {
  RedisServer server(RedisServer::Options{.tls = true});
  const redis::Config good{
      .addresses = {server.tls_address()}, .tls = true, .tls_ca_file = server.ca_file()};
  {
    ClientRunner runner(good);
    ASSERT_TRUE(runner.connect()) << runner.client->trouble();
    const std::string large(3000000, 'x');
    EXPECT_EQ(runner.ask({"ECHO", large}).reply.text, large);
  }
  redis::Config untrusted = good;
  untrusted.tls_ca_file.clear();
  redis::Config misnamed = good;
  misnamed.tls_server_name = "redis.example";
  for (const redis::Config& config : {untrusted, misnamed}) {
    ClientRunner runner(config);
    EXPECT_TRUE(runner.run_until([&] { return runner.capture->said("TLS: "); }));
    EXPECT_THAT(runner.client->trouble(), HasSubstr("certificate verify failed"));
  }
  redis::Config plain{.addresses = {server.tls_address()}};
  ClientRunner runner(plain);
  EXPECT_TRUE(runner.run_until([&] { return runner.capture->said("can't use Redis"); }));
}

TEST(RedisSingle, UsersPasswordsAndWhatTheyMayDo) {
  RedisServer server({"user default off", "user peal on >s3cret ~peal:* &peal:* +@all",
                      "user blind on >s3cret ~* &* +@all -info",
                      "user mute on >s3cret ~* &* +@all -publish"});
  const auto config = [&](const std::string& user, const std::string& password) {
    return redis::Config{.addresses = {server.address()}, .user = user, .password = password};
  };
  {
    ClientRunner runner(config("peal", "s3cret"));
    ASSERT_TRUE(runner.connect()) << runner.client->trouble();
    const Answer answer = runner.ask({"GET", "other"});
    EXPECT_EQ(answer.outcome, Outcome::refused);
    EXPECT_THAT(answer.error, HasSubstr("grant it: ACL SETUSER peal ~"));
    runner.client->subscribe("other");
    EXPECT_TRUE(runner.run_until([&] { return runner.capture->said("ACL SETUSER peal &"); }));
  }
  const auto complaint = [&](const redis::Config& with, std::string_view wanted) {
    ClientRunner runner(with);
    EXPECT_TRUE(runner.run_until([&] { return runner.capture->said(wanted); })) << wanted;
    for (const std::string& line : runner.capture->lines())
      EXPECT_THAT(line, Not(HasSubstr("s3cret")));
  };
  complaint(config("", ""), "set redis.password");
  complaint(config("peal", "wrong"), "WRONGPASS");
  complaint(config("blind", "s3cret"), "ACL SETUSER blind +info");
  complaint(config("mute", "s3cret"), "ACL SETUSER mute +publish");
}

TEST(RedisSingle, AServerThatIsKilledComesBack) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()}});
  runner.client->subscribe("peal:news");
  ASSERT_TRUE(runner.connect());
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 1; }));
  const std::string run_id = runner.connected.back().mastership.run_id;
  server.kill();
  // Written before the end is noticed, or not: never a false success, and each ends.
  int ended = 0;
  for (int i = 0; i < 100; ++i) {
    runner.client->command({.args = {"SET", "a", "1"}}, [&](const Answer& a) {
      EXPECT_TRUE(a.outcome == Outcome::unknown || a.outcome == Outcome::refused);
      EXPECT_THAT(a.error, HasSubstr(server.address()));
      ++ended;
    });
  }
  ASSERT_TRUE(runner.run_until([&] { return ended == 100 && runner.broken["peal:news"] == 1; }));
  ASSERT_TRUE(runner.run_until([&] { return runner.disconnected.size() == 1; }));
  EXPECT_EQ(runner.ask({"GET", "a"}).outcome, Outcome::refused);
  // However long it takes, it is told once.
  const std::size_t lines = runner.capture->lines().size() + 3;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  runner.run_until([&] { return std::chrono::steady_clock::now() > until; });
  EXPECT_LT(runner.capture->lines().size(), lines);
  server.start();
  ASSERT_TRUE(runner.connect());
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 2; }));
  EXPECT_NE(runner.connected.back().mastership.run_id, run_id);
  EXPECT_EQ(runner.ask({"PUBLISH", "peal:news", "again"}).reply.integer, 1);
  EXPECT_TRUE(runner.run_until([&] { return runner.heard("peal:news", "again"); }));
}

TEST(RedisSingle, AServerThatFreezesIsGivenUp) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()},
                       .connect_timeout = std::chrono::milliseconds(400),
                       .command_timeout = std::chrono::milliseconds(500)});
  ASSERT_TRUE(runner.connect());
  server.freeze();
  const Answer answer = runner.ask({"SET", "a", "1"});
  EXPECT_EQ(answer.outcome, Outcome::unknown);
  EXPECT_THAT(answer.error, HasSubstr("didn't answer within 0.5 s"));
  EXPECT_TRUE(runner.run_until([&] { return runner.capture->said("was not ready within"); }));
  server.thaw();
  ASSERT_TRUE(runner.connect());
  EXPECT_TRUE(runner.ask({"PING"}).ok());
}

TEST(RedisSingle, SilenceOfThePubSubPathIsNoticed) {
  RedisServer server({"user peal on >p ~* &* +@all"});
  ClientRunner runner({.addresses = {server.address()},
                       .user = "peal",
                       .password = "p",
                       .probe_interval = std::chrono::milliseconds(50),
                       .probe_timeout = std::chrono::milliseconds(500)});
  runner.client->subscribe("peal:news");
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 1; }));
  // Only the connection that listens dies.
  server.ask({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(runner.run_until([&] { return runner.subscribed["peal:news"] == 2; }));
  EXPECT_EQ(runner.broken["peal:news"], 1);
  EXPECT_TRUE(runner.disconnected.empty());
  // Nothing is published any more although both connections live.
  server.ask({"ACL", "SETUSER", "peal", "-publish"});
  ASSERT_TRUE(runner.run_until([&] { return runner.capture->said("+publish"); }));
  EXPECT_EQ(runner.broken["peal:news"], 2);
}

TEST(RedisSingle, ReadOnlyFullOrEvicting) {
  RedisServer master;
  RedisServer replica({"replicaof 127.0.0.1 " + std::to_string(master.port())});
  {
    ClientRunner runner({.addresses = {replica.address()}});
    EXPECT_TRUE(
        runner.run_until([&] { return runner.capture->said("it is a replica of 127.0.0.1"); }));
  }
  ClientRunner runner({.addresses = {master.address()}});
  ASSERT_TRUE(runner.connect());
  master.ask({"CONFIG", "SET", "maxmemory", "1"});
  Answer answer = runner.ask({"SET", "a", "1"});
  EXPECT_EQ(answer.outcome, Outcome::refused);
  EXPECT_THAT(answer.error, HasSubstr("maxmemory"));
  master.ask({"CONFIG", "SET", "maxmemory", "0"});
  master.ask({"CONFIG", "SET", "min-replicas-to-write", "5"});
  EXPECT_EQ(runner.ask({"SET", "a", "1"}).outcome, Outcome::refused);
  master.ask({"CONFIG", "SET", "min-replicas-to-write", "0"});
  master.ask({"REPLICAOF", "127.0.0.1", "1"});
  runner.ask({"SET", "a", "1"});
  ASSERT_TRUE(runner.run_until([&] { return runner.capture->said("it is a replica of"); }));
  EXPECT_EQ(runner.disconnected.size(), 1U);
  master.ask({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(runner.connect());

  master.ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  ClientRunner refusing({.addresses = {master.address()}});
  EXPECT_TRUE(refusing.run_until([&] { return refusing.capture->said("allkeys-lru"); }));
  ClientRunner told({.addresses = {master.address()}, .allow_eviction = true});
  EXPECT_TRUE(told.connect());
}

TEST(RedisSingle, AClientThatStopsEndsWhatItWasAsked) {
  RedisServer server;
  ClientRunner runner({.addresses = {server.address()}});
  ASSERT_TRUE(runner.connect());
  std::vector<Outcome> outcomes;
  runner.client->command({.args = {"DEBUG", "SLEEP", "0"}},
                         [&](const Answer& a) { outcomes.push_back(a.outcome); });
  runner.client->stop();
  runner.client->command({.args = {"PING"}},
                         [&](const Answer& a) { outcomes.push_back(a.outcome); });
  ASSERT_TRUE(runner.run_until([&] { return outcomes.size() == 2; }));
  EXPECT_THAT(outcomes, testing::Each(Outcome::refused));
}

}  // namespace
}  // namespace peal::test
