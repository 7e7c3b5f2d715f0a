// Hooks, tokens and rules: who may do what, asked now or later, from any thread.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "event_stream.hpp"
#include "eventually.hpp"
#include "http_client.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using gateway::HookCompletion;

class SessionHooks : public testing::Test {
 protected:
  ~SessionHooks() override {
    if (other_.joinable()) other_.join();
  }
  SocketClient open() {
    gateway_.start();
    SocketClient client(gateway_.port());
    client.upgrade();
    return client;
  }
  LocalGateway gateway_;
  std::thread other_;
};

constexpr const char* kPublish = R"({"channel":"a","message":1})";

TEST_F(SessionHooks, APublishHookMayAllowFromAnotherThread) {
  gateway_.config.hooks.publish = [this](gateway::PublishQuestion question,
                                         HookCompletion completion) {
    EXPECT_EQ(question.channel, "a");
    EXPECT_EQ(question.publication.payload, "1");
    EXPECT_FALSE(question.session.id().empty());
    other_ = std::thread([completion] { completion.allow(); });
  };
  SocketClient client = open();
  client.subscribe("a");
  EXPECT_EQ(client.command("publish", kPublish).substr(0, 20), R"({"id":2,"result":{}})");
}

TEST_F(SessionHooks, WhatAHookDeniesReachesNobody) {
  gateway_.config.hooks.publish = [](gateway::PublishQuestion question, HookCompletion completion) {
    if (question.publication.payload == "1")
      return completion.deny(fail(ErrorCode::permission_denied, "not one"));
    completion.allow();
  };
  SocketClient client = open();
  client.subscribe("a");
  const std::string denied = client.command("publish", kPublish);
  EXPECT_NE(denied.find("not one"), std::string::npos);
  client.send_text(R"({"action":"publish","payload":{"channel":"a","message":2}})");
  EXPECT_EQ(client.receive(), R"({"event":"message","channel":"a","message":2})");
  EXPECT_EQ(gateway_.metric("peal_encodes_total"), 1);
}

TEST_F(SessionHooks, AHookThatFailsOrForgetsOrIsLateDenies) {
  gateway_.config.hooks.deadline = std::chrono::milliseconds(100);
  std::optional<HookCompletion> kept;
  gateway_.config.hooks.publish = [&](gateway::PublishQuestion question,
                                      HookCompletion completion) {
    if (question.publication.payload == "1") throw std::runtime_error("broken");
    if (question.publication.payload == "2") return;  // dropped
    kept = completion;
  };
  SocketClient client = open();
  EXPECT_NE(client.command("publish", kPublish).find("hook_failed"), std::string::npos);
  EXPECT_NE(client.command("publish", R"({"channel":"a","message":2})").find("hook_failed"),
            std::string::npos);
  EXPECT_NE(client.command("publish", R"({"channel":"a","message":3})").find("deadline"),
            std::string::npos);
  kept->allow();  // too late: changes nothing
  kept.reset();
  EXPECT_EQ(client.command("ping", "{}"), R"({"id":4,"result":{}})");
  EXPECT_EQ(gateway_.metric("peal_encodes_total"), 0);
}

TEST_F(SessionHooks, CommandsOfAChannelKeepTheirOrderWhileAHookThinks) {
  std::mutex mutex;
  std::vector<HookCompletion> waiting;
  gateway_.config.hooks.publish = [&](gateway::PublishQuestion, HookCompletion completion) {
    const std::lock_guard lock(mutex);
    waiting.push_back(completion);
  };
  const auto asked = [&](std::size_t count) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return waiting.size() == count;
    });
  };
  SocketClient client = open();
  client.send_text(R"({"id":1,"action":"publish","payload":{"channel":"b","message":1}})");
  client.send_text(R"({"id":2,"action":"publish","payload":{"channel":"a","message":1}})");
  client.send_text(R"({"id":3,"action":"publish","payload":{"channel":"a","message":2}})");
  ASSERT_TRUE(asked(2));
  EXPECT_TRUE(client.quiet_for(std::chrono::milliseconds(50)));
  waiting[1].allow();
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{}})");
  ASSERT_TRUE(asked(3));
  waiting[2].deny(fail(ErrorCode::permission_denied, "no"));
  EXPECT_NE(client.receive().find(R"("id":3,"error")"), std::string::npos);
  waiting[0].allow();
  EXPECT_EQ(client.receive(), R"({"id":1,"result":{}})");
}

TEST_F(SessionHooks, APublishToManyKeepsItsPlaceInEachOfItsChannels) {
  std::mutex mutex;
  std::map<std::string, HookCompletion> waiting;
  gateway_.config.hooks.publish = [&](gateway::PublishQuestion question,
                                      HookCompletion completion) {
    const std::lock_guard lock(mutex);
    waiting.emplace(question.channel + std::string(question.publication.payload), completion);
  };
  const auto asked = [&](std::size_t count) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return waiting.size() == count;
    });
  };
  const auto allow = [&](const std::string& which) {
    const std::lock_guard lock(mutex);
    waiting.at(which).allow();
  };
  SocketClient client = open();
  SocketClient reader(gateway_.port());
  reader.upgrade();
  reader.subscribe("b");
  client.send_text(R"({"id":1,"action":"publish","payload":{"channels":["a","b"],"message":1}})");
  client.send_text(R"({"id":2,"action":"publish","payload":{"channel":"b","message":2}})");
  ASSERT_TRUE(asked(2));
  EXPECT_TRUE(client.quiet_for(std::chrono::milliseconds(50)));
  EXPECT_TRUE(asked(2)) << "the second publish on b waits for the first";
  allow("b1");
  ASSERT_TRUE(asked(3));
  allow("b2");
  EXPECT_EQ(client.receive(), R"({"id":2,"result":{}})");
  EXPECT_EQ(reader.receive(), R"({"event":"message","channel":"b","message":1})");
  EXPECT_EQ(reader.receive(), R"({"event":"message","channel":"b","message":2})");
  allow("a1");
  EXPECT_NE(client.receive().find(R"({"id":1,"result":)"), std::string::npos);
}

TEST_F(SessionHooks, AConnectHookGivesTheSessionItsPrincipal) {
  gateway_.rules[0].subscribe = "key:staff";
  gateway_.keys = {{"staff", "secret"}};
  gateway_.config.hooks.connect = [](gateway::ConnectQuestion question, HookCompletion completion) {
    if (question.token != "letmein") return completion.deny(fail(ErrorCode::token_invalid, "who?"));
    auto principal = std::make_shared<gateway::Principal>();
    principal->user = "ann";
    principal->key_names = {"staff"};
    completion.allow(principal);
  };
  SocketClient client = open();
  EXPECT_NE(client.command("connect", R"({"token":"letmein"})").find(R"("session":")"),
            std::string::npos);
  EXPECT_EQ(client.subscribe("a"), R"({"id":2,"result":{"channel":"a"}})");
  SocketClient stranger(gateway_.port());
  stranger.upgrade();
  EXPECT_NE(stranger.command("connect", R"({"token":"x"})").find("token_invalid"),
            std::string::npos);
  EXPECT_NE(stranger.subscribe("a").find("permission_denied"), std::string::npos);
}

TEST_F(SessionHooks, AConnectHookJudgesTokensThatComeOverHttp) {
  gateway_.rules[0].subscribe = gateway_.rules[0].publish = "key:staff";
  gateway_.keys = {{"staff", "secret"}};
  std::atomic<int> asked{0};
  gateway_.config.hooks.connect = [&](gateway::ConnectQuestion question,
                                      HookCompletion completion) {
    ++asked;
    EXPECT_EQ(question.session.id(), "");
    if (question.token == "nobody") return completion.allow();
    if (question.token != "letmein") return completion.deny(fail(ErrorCode::token_invalid, "who?"));
    auto principal = std::make_shared<gateway::Principal>();
    principal->user = "ann";
    principal->key_names = {"staff"};
    if (other_.joinable()) return completion.allow(principal);
    other_ = std::thread([completion, principal] { completion.allow(principal); });
  };
  gateway_.start();
  auto stream =
      EventStream::get(gateway_.port(), "/stream?channel=a", "Authorization: Bearer letmein\r\n");
  EXPECT_EQ(stream.next(), R"({"event":"subscribed","channel":"a"})");
  const std::string command = std::string(R"({"action":"publish","payload":)") + kPublish + "}";
  const auto publish = [&](const std::string& token) {
    return ask(gateway_.port(), "POST", "/command", command, {"Authorization: " + token});
  };
  EXPECT_EQ(publish("Bearer letmein").body, R"({"result":{}})");
  EXPECT_EQ(stream.next(), R"({"event":"message","channel":"a","message":1})");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(publish("Bearer secret").status, 200U) << "a key needs no hook";
  EXPECT_EQ(ask(gateway_.port(), "POST", "/command", command).status, 403U) << "nor does nobody";
  EXPECT_EQ(publish("Basic letmein").member("code"), "token_invalid") << "nor what is no token";
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(publish("Bearer nobody").status, 403U);
  const HttpAnswer refused = publish("Bearer stranger");
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(refused.member("detail"), "who?");
  EXPECT_EQ(asked, 4);
}

TEST_F(SessionHooks, WhoLeavesBeforeTheConnectHookHasAnsweredIsForgotten) {
  std::mutex mutex;
  std::optional<HookCompletion> kept;
  gateway_.config.hooks.connect = [&](const gateway::ConnectQuestion&, HookCompletion completion) {
    const std::lock_guard lock(mutex);
    kept = completion;
  };
  gateway_.start();
  {
    SocketClient client(gateway_.port());
    client.send_bytes(
        "GET /stream?channel=a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n");
    ASSERT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return kept.has_value();
    }));
    client.abort();
  }
  ASSERT_TRUE(eventually([&] { return gateway_.metric("peal_connections") == 0; }));
  kept->allow();
  kept.reset();
  SocketClient next(gateway_.port());
  next.upgrade();
  EXPECT_EQ(next.subscribe("b"), R"({"id":1,"result":{"channel":"b"}})");
  EXPECT_EQ(gateway_.metric("peal_subscriptions"), 1);
}

TEST_F(SessionHooks, ASubscribeHookIsAskedBeforeAnythingIsWatched) {
  gateway_.config.hooks.subscribe = [](gateway::SubscribeQuestion question,
                                       HookCompletion completion) {
    if (question.channel == "no")
      return completion.deny(fail(ErrorCode::permission_denied, "not here"));
    completion.allow();
  };
  SocketClient client = open();
  EXPECT_NE(client.subscribe("no").find("not here"), std::string::npos);
  EXPECT_EQ(gateway_.metric("peal_channels_watched"), 0);
  EXPECT_EQ(client.subscribe("yes"), R"({"id":2,"result":{"channel":"yes"}})");
}

TEST_F(SessionHooks, AHookMayKeepTheSessionAndCloseItLaterFromAnyThread) {
  gateway::SessionRef ref;
  gateway_.config.hooks.subscribe = [&](gateway::SubscribeQuestion question,
                                        HookCompletion completion) {
    ref = question.session;
    completion.allow();
  };
  SocketClient client = open();
  client.subscribe("a");
  ref.close(CloseCode::disconnected, "bye");
  EXPECT_EQ(client.receive_close(), 3003);
  gateway_.stop();
  ref.close(CloseCode::disconnected, "nobody is there");
}

TEST_F(SessionHooks, ConnectComesFirstAndAWrongTokenCloses) {
  gateway_.keys = {{"staff", "secret"}};
  gateway_.rules[0].publish = "key:staff";
  SocketClient client = open();
  EXPECT_NE(client.command("publish", kPublish).find("permission_denied"), std::string::npos);
  EXPECT_NE(client.command("connect", R"({"token":"secret"})").find("command_invalid"),
            std::string::npos);
  SocketClient good(gateway_.port());
  good.upgrade();
  const std::string welcome = good.command("connect", R"({"token":"secret","heartbeat":true})");
  EXPECT_NE(welcome.find(R"("gateway":"gateway")"), std::string::npos);
  EXPECT_NE(welcome.find(R"("heartbeat_ms":25000)"), std::string::npos);
  EXPECT_EQ(good.command("publish", kPublish), R"({"id":2,"result":{}})");
  SocketClient bad(gateway_.port());
  bad.upgrade();
  EXPECT_NE(bad.command("connect", R"({"token":"wrong"})").find("token_invalid"),
            std::string::npos);
  EXPECT_EQ(bad.receive_close(), 3501);
}

}  // namespace
}  // namespace peal::test
