// The part of the suite for drivers with a link that can be lost: nobody is told that something was
// published when it wasn't, and whoever watched watches again.
#include <algorithm>
#include <chrono>

#include "bus_suite.hpp"
#include "feed_reader.hpp"

namespace peal::bus::test {

using Status = Published::Status;
using std::chrono::seconds;
using std::chrono::steady_clock;

bool LinkedBusSuite::wait_for_link(std::size_t i, bool linked, std::chrono::milliseconds patience) {
  return node(i).heard(
      [&](const RecordingSink& sink) { return sink.states.back().linked == linked; }, patience);
}

namespace {

TEST_P(LinkedBusSuite, ALostLinkRefusesPublishesAtOnceAndHealsByItself) {
  start(2);
  watch_and_wait(1, {0, 1}, "cut");
  EXPECT_EQ(publish_and_wait(0, "cut", "before").status, Status::ok);
  const auto cut = steady_clock::now();
  driver().cut();
  // Loopback tells at once; a second is the promise, the rest is for a busy machine. Silence would
  // take four.
  EXPECT_TRUE(wait_for_link(0, false));
  EXPECT_TRUE(wait_for_link(1, false));
  const auto refused = publish_and_wait(0, "cut", "meanwhile");
  EXPECT_LT(steady_clock::now() - cut, seconds(4));
  EXPECT_EQ(refused.status, Status::refused);
  ASSERT_TRUE(refused.error);
  EXPECT_TRUE(refused.error->temporary());
  const auto answers = node(1).with([](auto&, RecordingSink& sink) { return sink.heads.size(); });
  driver().heal();
  ASSERT_TRUE(wait_for_link(0, true));
  ASSERT_TRUE(
      node(1).heard([&](const RecordingSink& sink) { return sink.heads.size() > answers; }));
  EXPECT_EQ(publish_and_wait(0, "cut", "after").status, Status::ok);
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return sink.heard.size() == 2; }));
  EXPECT_EQ(payloads(1, {0, 1}), (std::vector<std::string>{"before", "after"}));
}

TEST_P(LinkedBusSuite, PublishesUnderALostLinkHaveOneHonestOutcomeEach) {
  constexpr RequestId kPublishes = 2000;
  start(2);
  watch_and_wait(1, {0, 1}, "storm");
  for (RequestId id = 1; id < kPublishes; ++id) {
    node(0).publish("storm", std::to_string(id), id);
    if (id == kPublishes / 2) driver().cut();
  }
  ASSERT_TRUE(wait_for_link(0, false));
  node(0).publish("storm", std::to_string(kPublishes), kPublishes);
  ASSERT_TRUE(
      node(0).heard([](const RecordingSink& sink) { return sink.outcomes.size() == kPublishes; }));
  driver().heal();
  ASSERT_TRUE(wait_for_link(0, true));
  ASSERT_TRUE(wait_for_link(1, true));
  // Until the watch is answered again on both sides, a publication may be lost honestly.
  for (RequestId id = kPublishes + 1;
       payloads(1, {0, 1}).empty() || !payloads(1, {0, 1}).back().starts_with("mark"); ++id) {
    ASSERT_LT(id, kPublishes + 2000);
    publish_and_wait(0, "storm", "mark");
  }
  std::vector<bool> sure(kPublishes + 1), refused(kPublishes + 1);
  node(0).with([&](auto&, RecordingSink& sink) {
    for (const Published& outcome : sink.outcomes) {
      if (outcome.id > kPublishes) continue;
      sure[outcome.id] = outcome.status == Status::ok;
      refused[outcome.id] = outcome.status == Status::refused;
      if (outcome.status == Status::unknown) {
        EXPECT_EQ(outcome.error->code, ErrorCode::publish_outcome_unknown);
      }
    }
  });
  RequestId last = 0;
  for (const std::string& payload : payloads(1, {0, 1})) {
    if (payload == "mark") continue;
    const RequestId id = std::stoull(payload);
    EXPECT_FALSE(refused[id]) << "publish " << id << " was refused and yet heard";
    EXPECT_GT(id, last) << "heard twice or out of order";
    last = id;
  }
  EXPECT_TRUE(std::ranges::find(refused, true) != refused.end());
}

TEST_P(LinkedBusSuite, ASilentLinkIsNoticedAndHeals) {
  start(2);
  watch_and_wait(1, {0, 1}, "silent");
  driver().freeze();
  EXPECT_TRUE(wait_for_link(0, false, seconds(20))) << "dead after 4 s is the promise";
  const auto refused = publish_and_wait(0, "silent", "meanwhile");
  EXPECT_NE(refused.status, Status::ok);
  driver().heal();
  ASSERT_TRUE(wait_for_link(0, true));
  ASSERT_TRUE(wait_for_link(1, true));
  bool through = false;
  for (int n = 0; n < 200 && !through; ++n) {
    publish_and_wait(0, "silent", "after");
    through = node(1).heard([](const RecordingSink& sink) { return !sink.heard.empty(); },
                            std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(through);
}

TEST_P(LinkedBusSuite, TenThousandWatchesAreMadeAgain) {
  constexpr std::uint32_t kChannels = 10'000;
  start(2);
  node(1).with([&](BusPort& port, auto&) {
    for (std::uint32_t c = 0; c < kChannels; ++c)
      port.watch({c, 1}, "many:" + std::to_string(c));
  });
  ASSERT_TRUE(
      node(1).heard([](const RecordingSink& sink) { return sink.heads.size() == kChannels; }));
  driver().cut();
  ASSERT_TRUE(wait_for_link(1, false));
  node(1).with([&](BusPort& port, auto&) {
    for (std::uint32_t c = 0; c < 100; ++c)
      port.unwatch({c, 1});
  });
  driver().heal();
  ASSERT_TRUE(wait_for_link(0, true));
  ASSERT_TRUE(node(1).heard(
      [](const RecordingSink& sink) { return sink.heads.size() >= 2 * kChannels - 100; }));
  publish_and_wait(0, "many:50", "nobody");
  publish_and_wait(0, "many:9999", "somebody");
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return !sink.heard.empty(); }));
  EXPECT_EQ(payloads(1, {9999, 1}), std::vector<std::string>{"somebody"});
}

// What was acknowledged is read again after the link is back, or its loss is told as a reset.
TEST_P(LinkedBusSuite, AFeedOutlivesItsLinkOrIsToldAReset) {
  auto owned = std::make_unique<FeedReader>(50);
  FeedReader& reader = *owned;
  std::vector<std::unique_ptr<BusNode>> nodes;
  nodes.push_back(std::make_unique<BusNode>());
  nodes.push_back(std::make_unique<BusNode>(std::move(owned)));
  start(std::move(nodes));
  node(1).with([&](BusPort& port, auto&) { reader.begin(port, "log:cut"); });
  std::vector<std::string> acknowledged;
  const auto publish = [&](int from, int to) {
    for (int n = from; n < to; ++n) {
      if (publish_and_wait(0, "log:cut", std::to_string(n)).status == Status::ok) {
        acknowledged.push_back(std::to_string(n));
      }
    }
  };
  publish(0, 300);
  for (int round = 1; round <= 3; ++round) {
    driver().cut();
    ASSERT_TRUE(wait_for_link(0, false));
    driver().heal();
    ASSERT_TRUE(wait_for_link(0, true));
    publish(round * 1000, round * 1000 + 300);
  }
  ASSERT_TRUE(node(1).heard([&](const RecordingSink&) {
    return !reader.values.empty() && reader.values.back() == "3299";
  }));
  node(1).with([&](auto&, auto&) {
    EXPECT_EQ(reader.broken, "");
    // Since the last reset: an unbroken end of what was acknowledged.
    ASSERT_LE(reader.values.size(), acknowledged.size());
    EXPECT_TRUE(
        std::ranges::equal(reader.values, std::span(acknowledged).last(reader.values.size())));
    if (reader.resets == 0) {
      EXPECT_EQ(reader.values.size(), acknowledged.size());
    }
  });
}

}  // namespace
}  // namespace peal::bus::test
