// The library as an application sees it: Gateway, several of them in one process.
#include <gtest/gtest.h>

#include <future>

#include "peal/gateway/gateway.hpp"
#include "socket_client.hpp"

namespace peal::gateway {
namespace {

using test::SocketClient;

GatewayConfig open_to_all(const std::string& name) {
  GatewayConfig config;
  config.name = name;
  config.listen = "127.0.0.1:0";
  config.shards = 2;
  config.limits.close_timeout =
      std::chrono::milliseconds(200);  // these clients don't answer a Close
  config.channels.push_back({.pattern = "*", .subscribe = "anyone", .publish = "anyone"});
  return config;
}

std::uint16_t port_of(const Gateway& gateway) {
  const std::string address = gateway.address();
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

SocketClient connected(const Gateway& gateway) {
  SocketClient client(port_of(gateway));
  client.upgrade();
  return client;
}

/// What `ask` gives to its `then`, waited for.
template <class T, class Ask>
T answer_of(Ask ask) {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  ask([promise](T value) { promise->set_value(std::move(value)); });
  if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
    throw std::runtime_error("no answer");
  }
  return future.get();
}

bus::Published publish(Gateway& gateway, std::string channel, std::string json) {
  return answer_of<bus::Published>([&](const auto& then) {
    gateway.publish(std::move(channel), std::move(json),
                    [then](const bus::Published& p) { then(p); });
  });
}

std::string refusal(GatewayConfig config) {
  const auto made = Gateway::make(std::move(config));
  return made.has_error() ? made.error().message : "";
}

TEST(Gateway, TwoInOneProcessServeTheirOwnClients) {
  auto first = Gateway::make(open_to_all("first")).value();
  auto second = Gateway::make(open_to_all("second")).value();
  ASSERT_TRUE(first->start().has_value());
  ASSERT_TRUE(second->start().has_value());
  ASSERT_NE(first->address(), second->address());
  SocketClient ann = connected(*first);
  SocketClient bob = connected(*second);
  ann.subscribe("room");
  bob.subscribe("room");
  EXPECT_EQ(publish(*first, "room", "1").status, bus::Published::Status::ok);
  EXPECT_EQ(ann.receive(), R"({"event":"message","channel":"room","message":1})");
  EXPECT_EQ(publish(*second, "room", "2").status, bus::Published::Status::ok);
  EXPECT_EQ(bob.receive(), R"({"event":"message","channel":"room","message":2})")
      << "the other gateway's message did not come here";
  EXPECT_FALSE(first->bus_state().shared);
  first->stop();
  EXPECT_EQ(publish(*second, "room", "3").status, bus::Published::Status::ok);
  EXPECT_EQ(bob.receive(), R"({"event":"message","channel":"room","message":3})");
  EXPECT_NE(second->metrics().find("peal_sessions"), std::string::npos);
  EXPECT_TRUE(second->healthy());
}

TEST(Gateway, RefusesTheApplicationsBadPublications) {
  GatewayConfig config = open_to_all("gateway");
  config.limits.message_bytes_max = 100;
  auto gateway = Gateway::make(std::move(config)).value();
  ASSERT_TRUE(gateway->start().has_value());
  const auto code = [&](std::string channel, std::string json) {
    const auto outcome = publish(*gateway, std::move(channel), std::move(json));
    return outcome.error ? info(outcome.error->code).name : "";
  };
  EXPECT_EQ(code("room", "{}"), "");
  EXPECT_EQ(code("room", "{"), "message_invalid");
  EXPECT_EQ(code("", "{}"), "channel_name_invalid");
  EXPECT_EQ(code("room", '"' + std::string(100, 'x') + '"'), "message_too_large");
  gateway->publish("room", "{");  // nobody waits for it
  gateway->stop();
  EXPECT_EQ(code("room", "{}"), "draining");
}

TEST(Gateway, ListsAndClosesSessionsAndDrains) {
  auto gateway = Gateway::make(open_to_all("gateway")).value();
  ASSERT_TRUE(gateway->start().has_value());
  SocketClient ann = connected(*gateway);
  SocketClient bob = connected(*gateway);
  ann.subscribe("b");
  ann.subscribe("a");
  bob.subscribe("a");
  const auto channels =
      answer_of<ChannelPage>([&](auto then) { gateway->channels("", "", 10, std::move(then)); });
  ASSERT_EQ(channels.channels.size(), 2U);
  EXPECT_EQ(channels.channels[0].name, "a");
  EXPECT_EQ(channels.channels[0].subscribers, 2U);
  const auto page =
      answer_of<SessionPage>([&](auto then) { gateway->sessions("", 10, std::move(then)); });
  ASSERT_EQ(page.sessions.size(), 2U);
  for (const SessionInfo& session : page.sessions) {
    if (session.subscriptions != 2) continue;
    EXPECT_TRUE(answer_of<bool>([&](auto then) {
      gateway->disconnect(session.id, CloseCode::disconnected, "go", std::move(then));
    }));
  }
  EXPECT_EQ(ann.receive_close(), 3003U);
  EXPECT_FALSE(answer_of<bool>([&](auto then) {
    gateway->disconnect("nobody", CloseCode::disconnected, "", std::move(then));
  }));
  EXPECT_TRUE(answer_of<bool>([&](const auto& then) {
    gateway->drain(std::chrono::milliseconds(10), [then] { then(true); });
  }));
  EXPECT_EQ(bob.receive_close(), 1012U);
}

TEST(Gateway, SaysWhatIsWrongWithItsConfig) {
  GatewayConfig config = open_to_all("gateway");
  EXPECT_EQ(refusal(config), "");
  config.tls_certificate = "/nowhere/cert.pem";
  EXPECT_NE(refusal(config).find("tls.key"), std::string::npos);
  config.tls_key = "/nowhere/key.pem";
  EXPECT_NE(refusal(config).find("/nowhere/cert.pem"), std::string::npos);
  config = open_to_all("gateway");
  config.web_root = "/nowhere";
  EXPECT_NE(refusal(config).find("/nowhere"), std::string::npos);
  config = open_to_all("gateway");
  config.channels[0].publish = "key:missing";
  EXPECT_NE(refusal(config).find("missing"), std::string::npos);
  config = open_to_all("gateway");
  config.allowed_origins = {"*"};
  EXPECT_NE(refusal(config).find("allowed_origins"), std::string::npos);

  auto first = Gateway::make(open_to_all("first")).value();
  ASSERT_TRUE(first->start().has_value());
  config = open_to_all("second");
  config.listen = first->address();
  auto second = Gateway::make(std::move(config)).value();
  const auto started = second->start();
  ASSERT_TRUE(started.has_error());
  EXPECT_NE(started.error().message.find(first->address()), std::string::npos);
}

}  // namespace
}  // namespace peal::gateway
