// Recovery through a real core and two shards: what is lost on the way is noticed while connected,
// many that come back cost one read, and in random histories every client ends exact or told.
#include <gtest/gtest.h>

#include <future>

#include "eventually.hpp"
#include "local_gateway.hpp"
#include "lossy_bus.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

using namespace std::chrono_literals;

std::uint64_t number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  return at == std::string_view::npos ? 0 : std::stoull(std::string(text.substr(at + name.size())));
}

/// A gateway of two shards whose channels keep 60 publications; the n-th one's payload is n.
class RecoveryHistory : public testing::Test {
 protected:
  RecoveryHistory() {
    gateway_.config.shards = 2;
    gateway_.config.limits.position_interval = 100ms;
    gateway_.config.limits.page_length_max = 7;
    gateway_.options_of = [](std::string_view) {
      broker::ChannelOptions options;
      options.recoverable = true;
      options.history_length_max = 60;
      return options;
    };
  }
  void start(unsigned seed = 1) {
    auto lossy = std::make_unique<LossyBus>(
        bus::make_embedded_bus(2, gateway_.options_of, gateway_.config.limits, gateway_.probes()),
        seed);
    bus_ = lossy.get();
    gateway_.bus = std::move(lossy);
    gateway_.start();
    for (int i = 0; i < 16; ++i)  // each shard has heard of its bus
      EXPECT_TRUE(eventually([&] {
        return outcome_of("linked:" + std::to_string(i), "1").status == bus::Published::Status::ok;
      }));
  }
  bus::Published outcome_of(const std::string& channel, const std::string& payload) {
    std::promise<bus::Published> outcome;
    Publication publication;
    publication.payload = payload;
    gateway_.shards().publish(channel, publication,
                              [&](const bus::Published& what) { outcome.set_value(what); });
    return outcome.get_future().get();
  }
  /// Returns when it is in the log.
  void publish() {
    const bus::Published what = outcome_of("a", std::to_string(++published_));
    ASSERT_TRUE(what.position);
    ASSERT_EQ(what.position->offset.value, published_);
    epoch_ = what.position->epoch;
  }
  std::string since(std::uint64_t offset) const {
    return R"({"channel":"a","since":{"epoch":")" + std::string(epoch_.view()) + R"(","offset":)" +
           std::to_string(offset) + "}}";
  }
  static std::string offset_of(const std::string& message) {
    return std::to_string(number_after(message, R"("offset":)"));
  }

  LocalGateway gateway_;
  LossyBus* bus_ = nullptr;
  std::uint64_t published_ = 0;
  Epoch epoch_;
};

TEST_F(RecoveryHistory, WhatIsLostOnTheWayIsReadWhenTheNextOneComes) {
  start();
  SocketClient client(gateway_.port());
  client.upgrade();
  client.subscribe("a");
  bus_->lose(100);
  for (std::size_t lost = 1; lost <= 2; ++lost) {
    publish();
    ASSERT_TRUE(eventually([&] { return bus_->lost() == lost; }));
  }
  bus_->lose(0);
  publish();
  for (const char* offset : {"1", "2", "3"})
    EXPECT_EQ(offset_of(client.receive()), offset);
}

TEST_F(RecoveryHistory, TheLastOneLostIsNoticedWhenTheChannelFallsSilent) {
  start();
  SocketClient client(gateway_.port());
  client.upgrade();
  client.subscribe("a");
  bus_->lose(100);
  publish();
  EXPECT_EQ(offset_of(client.receive()), "1");  // all that comes is lost: the head tells of it
  EXPECT_EQ(bus_->lost(), 1U);
}

TEST_F(RecoveryHistory, ManyThatComeBackToOnePositionAreOneReadOfTheGateway) {
  gateway_.config.limits.page_length_max = 100;
  start();
  for (int i = 0; i < 50; ++i)
    publish();
  std::vector<SocketClient> clients;
  for (int i = 0; i < 60; ++i) {
    clients.emplace_back(gateway_.port());
    clients.back().upgrade();
  }
  for (SocketClient& client : clients)
    client.send_text(R"({"id":1,"action":"subscribe","payload":)" + since(10) + "}");
  for (SocketClient& client : clients) {
    const std::string result = client.receive();
    EXPECT_NE(result.find(R"("recovered":true)"), std::string::npos) << result;
    EXPECT_NE(result.find(R"({"offset":11,"message":11})"), std::string::npos) << result;
    EXPECT_NE(result.find(R"({"offset":50,"message":50}]}})"), std::string::npos) << result;
  }
  EXPECT_EQ(gateway_.metric("peal_page_reads_total"), 1);
  EXPECT_EQ(gateway_.metric("peal_recovery_pages_total"), 60);
}

/// What one client believes, checked against what was published.
class Follower {
 public:
  explicit Follower(LocalGateway& gateway) : gateway_(gateway) {}

  void connect(const std::string& since) {
    socket_ = std::make_unique<SocketClient>(gateway_.port());
    socket_->upgrade();
    socket_->send_text(R"({"id":1,"action":"subscribe","payload":)" + since + "}");
  }
  void disconnect() { socket_.reset(); }
  bool connected() const { return socket_ != nullptr; }
  /// Takes in what has come.
  void listen() {
    while (connected() && !socket_->quiet_for(0ms))
      hear(socket_->receive());
  }
  std::uint64_t position() const { return position_; }
  std::size_t told() const { return told_; }

 private:
  void hear(const std::string& text) {
    if (text.find(R"("event":"message")") != std::string::npos) {
      const std::uint64_t offset = number_after(text, R"("offset":)");
      EXPECT_EQ(offset, position_ + 1) << text;
      EXPECT_EQ(number_after(text, R"("message":)"), offset) << text;
      position_ = offset;
    } else if (text.find(R"("event":"position")") != std::string::npos) {
      EXPECT_EQ(number_after(text, R"("offset":)"), position_) << text;
    } else if (text.find(R"("event":"reset")") != std::string::npos) {
      ++told_;
      position_ = number_after(text, R"("offset":)");
    } else {
      hear_result(text);
    }
  }
  void hear_result(const std::string& text) {
    ASSERT_NE(text.find(R"("result")"), std::string::npos) << text;
    const std::uint64_t end = number_after(text, R"("offset":)");
    if (text.find(R"("recovered":true)") == std::string::npos) {
      if (text.find(R"("recovered":false)") != std::string::npos) ++told_;
      position_ = end;
      return;
    }
    for (std::size_t at = text.find('['); (at = text.find(R"({"offset":)", at)) != text.npos; ++at)
      EXPECT_EQ(number_after(text.substr(at), R"("offset":)"), ++position_) << text;
    EXPECT_EQ(position_, end) << text;
  }

  LocalGateway& gateway_;
  std::unique_ptr<SocketClient> socket_;
  std::uint64_t position_ = 0;
  std::size_t told_ = 0;
};

TEST_F(RecoveryHistory, InRandomHistoriesEveryClientEndsExactOrTold) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](unsigned most) { return static_cast<unsigned>(random() % most); };
  gateway_.config.limits.page_bytes_max = 64;
  start(seed);
  publish();
  std::vector<std::unique_ptr<Follower>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<Follower>(gateway_));
    clients.back()->connect(R"({"channel":"a"})");
  }
  bus_->lose(10);
  for (int step = 0; step < 600; ++step) {
    Follower& client = *clients[below(6)];
    switch (below(4)) {
      case 0:
        for (unsigned i = below(6) == 0 ? 70 : below(8); i > 0; --i)
          publish();
        break;
      case 1:
        client.listen();
        client.disconnect();
        break;
      default:
        client.listen();
        if (!client.connected()) client.connect(since(client.position()));
    }
    if (HasFailure()) return;
  }
  bus_->lose(0);
  publish();
  std::size_t told = 0;
  for (auto& client : clients) {
    if (!client->connected()) client->connect(since(client->position()));
    EXPECT_TRUE(eventually([&] {
      client->listen();
      return HasFailure() || client->position() == published_;
    })) << client->position();
    told += client->told();
  }
  EXPECT_GT(bus_->lost(), 0U);
  EXPECT_GT(told, 0U);  // some were away for longer than the log remembers
  EXPECT_EQ(gateway_.metric("peal_recoveries"), 0);
}

}  // namespace
}  // namespace peal::test
