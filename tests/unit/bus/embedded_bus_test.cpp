#include "peal/bus/embedded_bus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "allocations.hpp"
#include "peal/proto/channel_name.hpp"
#include "recording_sink.hpp"

namespace peal::bus {
namespace {

using test::publish_request;
using Status = Published::Status;
using Story = std::vector<std::string>;

/// A bus whose shards are all turned by the test's thread.
class EmbeddedBusTest : public testing::Test {
 protected:
  struct Shard {
    test::RecordingSink sink;
    test::CountingWaker waker;
    BusPort* port = nullptr;
  };

  void make(std::size_t shards, const Limits& limits = {}) {
    for (std::size_t i = 0; i < shards; ++i)
      shards_.push_back(std::make_unique<Shard>());
    bus_ = make_embedded_bus(
        shards,
        [](std::string_view name) { return broker::ChannelOptions{name.starts_with("log:")}; },
        limits, probes_);
    for (auto& shard : shards_)
      shard->port = &bus_->attach(shard->sink, shard->waker);
    ASSERT_TRUE(bus_->start().has_value());
    settle();
    for (auto& shard : shards_) {
      shard->sink.story.clear();
      shard->waker.wakes = 0;
    }
  }
  /// Turns all shards until none has anything to do; a shard that isn't woken isn't turned.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& shard : shards_) {
        const bool woken = shard->waker.wakes.exchange(0) > 0;
        busy = shard->port->turn() || woken || busy;
      }
    }
  }
  /// A channel at home on that shard.
  std::string at_home(std::size_t shard, const std::string& prefix = "channel:") const {
    for (int i = 0;; ++i) {
      std::string name = prefix + std::to_string(i);
      if (stable_hash(name) % shards_.size() == shard) return name;
    }
  }
  Shard& shard(std::size_t i) { return *shards_[i]; }
  BusPort& port(std::size_t i) { return *shards_[i]->port; }
  std::string metrics() const { return probes_.text(); }

  runtime::ProbeRegistry probes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Bus> bus_;
};

TEST_F(EmbeddedBusTest, SaysThatItIsLinkedAndThatNobodyElseHears) {
  make(1);
  ASSERT_EQ(shard(0).sink.states.size(), 1U);
  EXPECT_TRUE(shard(0).sink.states[0].linked);
  EXPECT_FALSE(shard(0).sink.states[0].shared);
  EXPECT_TRUE(bus_->state().linked);
  EXPECT_FALSE(bus_->state().shared);
}

TEST_F(EmbeddedBusTest, CallsOnlyGatherAndTheTurnHandsOverAtHomeWithoutAWake) {
  make(1);
  port(0).watch({0, 1}, "a");
  port(0).publish(publish_request("a", "1", 11));
  port(0).publish(publish_request("a", "2", 12));
  EXPECT_TRUE(shard(0).sink.story.empty());
  EXPECT_FALSE(port(0).turn());
  EXPECT_EQ(shard(0).sink.story,
            (Story{"head 0", "message 1", "message 2", "published 11", "published 12"}));
  EXPECT_EQ(shard(0).sink.batches, 1U);
  EXPECT_EQ(shard(0).waker.wakes, 0);
}

TEST_F(EmbeddedBusTest, CopiesWhatItIsGiven) {
  make(1);
  port(0).watch({0, 1}, "a");
  std::string payload = "before", key = "key", type = "text/plain", name = "a", origin = "ann/1";
  auto request = publish_request(name, payload);
  request.publication.key = key;
  request.publication.type = type;
  request.publication.origin = origin;
  port(0).publish(request);
  payload = "behind", key = "yek", type = "x", name = "b", origin = "eve/2";
  port(0).turn();
  ASSERT_EQ(shard(0).sink.heard.size(), 1U);
  const Publication& heard = shard(0).sink.heard[0].publication;
  EXPECT_EQ(heard.payload, "before");
  EXPECT_EQ(heard.key, "key");
  EXPECT_EQ(heard.type, "text/plain");
  EXPECT_EQ(heard.origin, "ann/1");
}

TEST_F(EmbeddedBusTest, WhatACallbackAsksForIsDoneInTheNextTurn) {
  struct Echo final : test::RecordingSink {
    void on_batch(std::span<const Delivery> batch) override {
      RecordingSink::on_batch(batch);
      if (heard.size() < 3) port->publish(publish_request("a", "again"));
    }
    BusPort* port = nullptr;
  } sink;
  test::CountingWaker waker;
  auto bus = make_embedded_bus(
      1, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{}, probes_);
  sink.port = &bus->attach(sink, waker);
  ASSERT_TRUE(bus->start().has_value());
  sink.port->watch({0, 1}, "a");
  sink.port->publish(publish_request("a", "first"));
  EXPECT_TRUE(sink.port->turn());
  EXPECT_EQ(sink.heard.size(), 1U);
  EXPECT_TRUE(sink.port->turn());
  EXPECT_FALSE(sink.port->turn());
  EXPECT_EQ(sink.heard.size(), 3U);
}

TEST_F(EmbeddedBusTest, NothingOfAChannelComesAfterUnwatchReturned) {
  make(1);
  port(0).watch({0, 1}, "a");
  port(0).turn();
  port(0).publish(publish_request("a", "late"));
  port(0).unwatch({0, 1});
  port(0).watch({0, 2}, "b");
  port(0).publish(publish_request("b", "in time"));
  port(0).turn();
  ASSERT_EQ(shard(0).sink.heard.size(), 1U);
  EXPECT_EQ(shard(0).sink.heard[0].alias, (Alias{0, 2}));
}

TEST_F(EmbeddedBusTest, ARefusedWatchFreesItsAlias) {
  make(1);
  port(0).watch({0, 1}, "bad\nname");
  port(0).turn();
  ASSERT_EQ(shard(0).sink.heads.size(), 1U);
  EXPECT_EQ(shard(0).sink.heads[0].error->code, ErrorCode::channel_name_invalid);
  port(0).watch({0, 2}, "good");
  port(0).turn();
  EXPECT_FALSE(shard(0).sink.heads.at(1).error);
}

TEST_F(EmbeddedBusTest, BetweenShardsThereIsOneMessageAndOneWakeATurn) {
  make(3);
  const std::string name = at_home(1);
  port(0).watch({4, 1}, name);
  settle();
  EXPECT_EQ(shard(0).sink.heads.size(), 1U);
  for (int i = 0; i < 100; ++i)
    port(2).publish(publish_request(name, std::to_string(i), 1 + i));
  EXPECT_EQ(shard(1).waker.wakes, 0);
  port(2).turn();
  EXPECT_EQ(shard(1).waker.wakes, 1);
  port(1).turn();
  EXPECT_EQ(shard(0).waker.wakes, 1);
  EXPECT_EQ(shard(2).waker.wakes, 1);
  port(0).turn();
  port(2).turn();
  ASSERT_EQ(shard(0).sink.heard.size(), 100U);
  EXPECT_EQ(shard(0).sink.batches, 1U);
  EXPECT_EQ(shard(0).sink.heard[99].publication.payload, "99");
  EXPECT_EQ(shard(2).sink.outcomes.size(), 100U);
}

TEST_F(EmbeddedBusTest, AShardHearsWhatItPublishesToAChannelAtHomeElsewhere) {
  make(2);
  const std::string name = at_home(1);
  port(0).watch({0, 1}, name);
  port(0).publish(publish_request(name, "x", 5));
  settle();
  EXPECT_EQ(shard(0).sink.story, (Story{"head 0", "message x", "published 5"}));
}

TEST_F(EmbeddedBusTest, AnAliasThatMovesToAnotherHomeLeavesTheFirst) {
  make(2);
  port(0).watch({0, 1}, at_home(1));
  settle();
  port(0).watch({0, 2}, at_home(0));
  settle();
  EXPECT_NE(metrics().find("peal_core_watches 1\n"), std::string::npos) << metrics();
}

TEST_F(EmbeddedBusTest, AShardThatLagsGetsNoMoreThanItsCreditAndTheRestIsCounted) {
  Limits limits;
  limits.link_credit_bytes = 10'000;
  make(2, limits);
  const std::string name = at_home(0);
  port(1).watch({0, 1}, name);
  settle();
  const std::string payload(1000, 'x');
  for (int i = 0; i < 100; ++i) {
    port(0).publish(publish_request(name, payload, 1));
    port(0).turn();
  }
  EXPECT_EQ(shard(0).sink.outcomes.size(), 100U);
  settle();
  const auto arrived = shard(1).sink.heard.size();
  EXPECT_GE(arrived, 5U);
  EXPECT_LE(arrived, 10U);
  EXPECT_NE(metrics().find("peal_bus_dropped_total " + std::to_string(100 - arrived) + "\n"),
            std::string::npos)
      << metrics();
  port(0).publish(publish_request(name, "flows again"));
  settle();
  EXPECT_EQ(shard(1).sink.heard.back().publication.payload, "flows again");
}

TEST_F(EmbeddedBusTest, AShardThatLagsIsToldToPullWhatTheLogHas) {
  Limits limits;
  limits.link_credit_bytes = 10'000;
  make(2, limits);
  const std::string name = at_home(0, "log:");
  port(1).watch({0, 1}, name);
  settle();
  for (int i = 0; i < 100; ++i) {
    port(0).publish(publish_request(name, std::string(1000, 'x'), 1));
    port(0).turn();
  }
  settle();
  const auto& sink = shard(1).sink;
  ASSERT_EQ(sink.heads.size(), 2U);
  EXPECT_FALSE(sink.heads[1].answer);
  EXPECT_EQ(sink.heads[1].head->top, Offset{100});
  EXPECT_EQ(sink.heads[1].head->epoch, sink.heads[0].head->epoch);
  EXPECT_LE(sink.heard.size(), 10U);
  EXPECT_NE(metrics().find("peal_bus_dropped_total 0\n"), std::string::npos) << metrics();
}

TEST_F(EmbeddedBusTest, APublishToALaggingHomeIsRefusedAsTemporary) {
  Limits limits;
  limits.link_credit_bytes = 10'000;
  make(2, limits);
  const std::string name = at_home(1);
  for (RequestId id = 1; id <= 20; ++id) {
    port(0).publish(publish_request(name, std::string(1000, 'x'), id));
    port(0).turn();
  }
  settle();
  ASSERT_EQ(shard(0).sink.outcomes.size(), 20U);
  std::size_t refused = 0;
  for (const Published& outcome : shard(0).sink.outcomes) {
    if (outcome.status == Status::ok) continue;
    ++refused;
    EXPECT_EQ(outcome.error->code, ErrorCode::overloaded);
    EXPECT_TRUE(outcome.error->temporary());
  }
  EXPECT_GE(refused, 10U);
  EXPECT_LE(refused, 15U);
}

TEST_F(EmbeddedBusTest, ASteadyLoadAllocatesNothing) {
  struct Count final : BusSink {
    void on_batch(std::span<const Delivery> batch) override { deliveries += batch.size(); }
    void on_heads(std::span<const HeadNotice>) override {}
    void on_published(std::span<const Published> due) override { outcomes += due.size(); }
    void on_page(const Page&) override {}
    void on_presence(const PresenceAnswer&) override {}
    void on_presence_events(std::span<const PresenceEvent>) override {}
    void on_state(const BusState&) override {}
    std::size_t deliveries = 0, outcomes = 0;
  } sink;
  test::CountingWaker waker;
  auto bus = make_embedded_bus(
      1, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{}, probes_);
  BusPort& only = bus->attach(sink, waker);
  ASSERT_TRUE(bus->start().has_value());
  for (std::uint32_t i = 0; i < 100; ++i)
    only.watch({i, 1}, "channel:" + std::to_string(i));
  const std::string payload(128, 'x');
  const auto load = [&] {
    for (int turn = 0; turn < 50; ++turn) {
      for (RequestId id = 1; id <= 8; ++id) {
        only.publish(publish_request(id % 2 == 0 ? "channel:7" : "channel:8", payload, id));
      }
      only.turn();
    }
  };
  load();
  const auto before = peal::test::allocations();
  load();
  EXPECT_EQ(peal::test::allocations(), before);
  EXPECT_EQ(sink.deliveries, 800U);
  EXPECT_EQ(sink.outcomes, 800U);
}

TEST_F(EmbeddedBusTest, StoppingReportsUnansweredPublishesAsUnknownAndThenNothing) {
  make(2);
  const std::string here = at_home(0), there = at_home(1);
  port(0).publish(publish_request(there, "answered", 1));
  settle();
  port(0).publish(publish_request(there, "on its way", 2));
  port(0).turn();
  port(0).publish(publish_request(there, "gathered", 3));
  port(0).publish(publish_request(here, "gathered", 4));
  shard(0).sink.outcomes.clear();
  bus_->stop();
  EXPECT_FALSE(bus_->state().linked);
  EXPECT_FALSE(port(0).turn());
  port(1).turn();
  std::vector<RequestId> unknown;
  for (const Published& outcome : shard(0).sink.outcomes) {
    EXPECT_EQ(outcome.status, Status::unknown);
    unknown.push_back(outcome.id);
  }
  std::ranges::sort(unknown);
  EXPECT_EQ(unknown, (std::vector<RequestId>{2, 3, 4}));
  EXPECT_EQ(shard(0).sink.story.back(), "not linked");
  const auto said = shard(0).sink.story.size();
  port(0).publish(publish_request(here, "too late", 5));
  EXPECT_FALSE(port(0).turn());
  EXPECT_EQ(shard(0).sink.story.size(), said);
}

TEST_F(EmbeddedBusTest, DoesNotStartBeforeEveryShardHasAttached) {
  auto bus = make_embedded_bus(
      2, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{}, probes_);
  test::RecordingSink sink;
  test::CountingWaker waker;
  BusPort& port = bus->attach(sink, waker);
  EXPECT_FALSE(bus->start().has_value());
  EXPECT_FALSE(port.turn());
  bus->attach(sink, waker);
  EXPECT_TRUE(bus->start().has_value());
  EXPECT_THROW(bus->attach(sink, waker), std::logic_error);
}

}  // namespace
}  // namespace peal::bus
