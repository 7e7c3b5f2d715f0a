// The publisher against a broker that the test plays: answers get lost, links go, epochs end; what
// a log has in the end is each publication once, in order.

#include "peal/monitor/publisher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace peal::monitor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Status = bus::Published::Status;

/// Logs with marks, as a core keeps them, and answers that the test lets through one by one.
class FakeBroker final : public bus::BusPort {
 public:
  struct Log {
    std::vector<std::string> payloads;
    std::map<std::string, Sequence> marks;
  };
  struct Asked {
    bus::PublishRequest request;
    std::string channel, payload, source;
  };

  explicit FakeBroker(bool recoverable = true) : recoverable_(recoverable) {}

  void publish(const bus::PublishRequest& request) override {
    asked.push_back({request, std::string(request.channel),
                     std::string(request.publication.payload),
                     std::string(request.publication.source)});
  }
  void watch(bus::Alias, std::string_view) override {}
  void unwatch(bus::Alias) override {}
  void read(const bus::ReadRequest&) override {}
  void enter(bus::Alias, const bus::Member&) override {}
  void leave(bus::Alias, std::string_view) override {}
  void presence(const bus::PresenceRequest&) override {}
  bool turn() override { return false; }

  /// Takes the oldest request, as the core would; its answer.
  bus::Published take() {
    const Asked asked_now = std::move(asked.front());
    asked.erase(asked.begin());
    bus::Published outcome;
    outcome.id = asked_now.request.id;
    Log& log = logs[asked_now.channel];
    const Sequence sequence = asked_now.request.publication.sequence;
    const auto mark = log.marks.find(asked_now.source);
    if (asked_now.payload == "\"poison\"") {
      outcome.status = Status::refused;
      outcome.error = fail(ErrorCode::message_too_large, "too large");
    } else if (!recoverable_ && asked_now.request.previous) {
      outcome.status = Status::refused;
      outcome.error = fail(ErrorCode::not_recoverable, "no log");
    } else if (!recoverable_) {
      log.payloads.push_back(asked_now.payload);
    } else if (mark != log.marks.end() && sequence <= mark->second) {
      outcome.duplicate = true;
      outcome.last = mark->second;
    } else if (asked_now.request.previous &&
               (mark == log.marks.end() || mark->second != *asked_now.request.previous)) {
      outcome.status = Status::refused;
      outcome.error = fail(ErrorCode::sequence_gap, "gap");
    } else {
      if (asked_now.request.replace) log.payloads.clear();
      log.payloads.push_back(asked_now.payload);
      log.marks[asked_now.source] = sequence;
      outcome.position = Position{{}, {log.payloads.size()}};
    }
    return outcome;
  }

  std::vector<Asked> asked;
  std::map<std::string, Log> logs;

 private:
  bool recoverable_;
};

struct Told final : PublisherOut {
  void on_done(const Done& done) override { dones.push_back(done); }
  void on_link(bool now_linked, const std::string&) override { linked = now_linked; }
  std::vector<Done> dones;
  bool linked = false;
};

struct Bench {
  explicit Bench(bool recoverable = true) : broker(recoverable) {
    publisher.attach(broker);
    link(true);
  }
  void link(bool linked) {
    bus::BusState state;
    state.linked = linked;
    publisher.on_state(state);
  }
  void publish(std::uint64_t number, const std::string& channel = "a", std::string payload = "") {
    Outgoing outgoing;
    outgoing.ticket = number;
    outgoing.channel = channel;
    outgoing.payload = payload.empty() ? std::to_string(number) : std::move(payload);
    outgoing.sequence = {1, number};
    publisher.publish(std::move(outgoing));
  }
  void answer(const bus::Published& outcome) { publisher.on_published({&outcome, 1}); }
  /// Sends and answers until nothing is pending.
  void settle() {
    for (int i = 0; i < 1000 && publisher.pending() != 0; ++i) {
      now += std::chrono::seconds(3);
      publisher.send(now);
      while (!broker.asked.empty())
        answer(broker.take());
    }
  }
  static bus::Published unknown(bus::RequestId id) {
    bus::Published outcome;
    outcome.id = id;
    outcome.status = Status::unknown;
    outcome.error = fail(ErrorCode::publish_outcome_unknown, "lost");
    return outcome;
  }

  Told told;
  FakeBroker broker;
  Publisher publisher{"s", 1 << 20, told};
  Publisher::Time now{};
};

TEST(PublisherTest, TheFirstGoesAloneAndTheOthersNameTheOneBefore) {
  Bench bench;
  for (std::uint64_t i = 1; i <= 4; ++i)
    bench.publish(i);
  bench.publisher.send(bench.now);
  ASSERT_EQ(bench.broker.asked.size(), 1U);
  EXPECT_FALSE(bench.broker.asked[0].request.previous);
  bench.answer(bench.broker.take());
  bench.publisher.send(bench.now);
  ASSERT_EQ(bench.broker.asked.size(), 3U) << "all of them at once";
  EXPECT_EQ(bench.broker.asked[2].request.previous, (Sequence{1, 3}));
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("1", "2", "3", "4"));
  EXPECT_EQ(bench.told.dones.size(), 4U);
}

TEST(PublisherTest, NothingOvertakesWhatWasRefused) {
  Bench bench;
  bench.publish(1);
  bench.settle();
  for (std::uint64_t i = 2; i <= 4; ++i)
    bench.publish(i);
  bench.publisher.send(bench.now);
  auto refused = Bench::unknown(bench.broker.asked.front().request.id);
  refused.status = Status::refused;
  refused.error = fail(ErrorCode::overloaded, "full");
  bench.broker.asked.erase(bench.broker.asked.begin());
  bench.answer(refused);
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("1", "2", "3", "4"));
  EXPECT_GE(bench.publisher.counts().retries, 3U);
}

TEST(PublisherTest, WhatCanNeverBePublishedIsToldAndTheRestGoesOn) {
  Bench bench;
  bench.publish(1);
  bench.publish(2, "a", "\"poison\"");
  bench.publish(3);
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("1", "3"));
  ASSERT_EQ(bench.told.dones.size(), 3U);
  EXPECT_EQ(bench.told.dones[1].ticket, 2U);
  EXPECT_THAT(bench.told.dones[1].error->message, HasSubstr("too large"));
}

TEST(PublisherTest, AnEpochThatEndedBeginsAgainWithWhatIsNotDone) {
  Bench bench;
  bench.publish(1);
  bench.settle();
  bench.broker.logs.clear();
  bench.publish(2);
  bench.publish(3);
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("2", "3"));
}

TEST(PublisherTest, AChannelWithoutALogGetsAllOfIt) {
  Bench bench(false);
  for (std::uint64_t i = 1; i <= 5; ++i)
    bench.publish(i);
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("1", "2", "3", "4", "5"));
}

TEST(PublisherTest, ASequenceThatSomebodyElseUsedIsTold) {
  Bench bench;
  bench.broker.logs["a"].marks["s"] = {1, 100};
  bench.publish(7);
  bench.settle();
  ASSERT_EQ(bench.told.dones.size(), 1U);
  EXPECT_EQ(bench.told.dones[0].met, (Sequence{1, 100}));
}

TEST(PublisherTest, AnEmptiedTableBeginsANewEpoch) {
  Bench bench;
  bench.publish(1);
  Outgoing truncate;
  truncate.channel = "a";
  truncate.payload = "\"truncate\"";
  truncate.anew = true;
  truncate.sequence = {1, 2};
  bench.publisher.publish(truncate);
  bench.publish(3);
  bench.settle();
  EXPECT_THAT(bench.broker.logs["a"].payloads, ElementsAre("\"truncate\"", "3"));
}

TEST(PublisherTest, WhatIsUnderWayIsBounded) {
  Bench bench(false);
  for (std::uint64_t i = 1; i <= 10; ++i)
    bench.publish(i, "a", '"' + std::string(300'000, 'x') + '"');
  bench.publisher.send(bench.now);
  EXPECT_LE(bench.broker.asked.size(), 4U);
  bench.settle();
  EXPECT_EQ(bench.broker.logs["a"].payloads.size(), 10U);
}

TEST(PublisherTest, InRandomHistoriesEveryLogHasEachOnceInOrder) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Bench bench;
    std::mt19937 random(seed);
    const auto chance = [&](int one_in) { return random() % static_cast<unsigned>(one_in) == 0; };
    std::map<std::string, std::vector<std::string>> expected;
    std::uint64_t number = 0;
    for (int step = 0; step < 400; ++step) {
      if (chance(3)) {
        const std::string channel(1, static_cast<char>('a' + random() % 3));
        bench.publish(++number, channel);
        expected[channel].push_back(std::to_string(number));
      }
      bench.now += std::chrono::milliseconds(random() % 200);
      bench.publisher.send(bench.now);
      if (!bench.broker.asked.empty() && !chance(3)) {
        const auto id = bench.broker.asked.front().request.id;
        if (chance(20)) {  // never arrived
          bench.broker.asked.erase(bench.broker.asked.begin());
          bench.answer(Bench::unknown(id));
        } else {
          const auto outcome = bench.broker.take();
          bench.answer(chance(20) ? Bench::unknown(id) : outcome);
        }
      }
      if (chance(60)) {  // the link goes: some of what is under way arrives, no answer does
        std::vector<bus::RequestId> ids;
        for (const auto& asked : bench.broker.asked)
          ids.push_back(asked.request.id);
        while (!bench.broker.asked.empty() && !chance(3))
          bench.broker.take();
        bench.broker.asked.clear();
        bench.link(false);
        for (const auto id : ids)
          bench.answer(Bench::unknown(id));
        bench.link(true);
      }
    }
    bench.settle();
    ASSERT_EQ(bench.publisher.pending(), 0U) << "seed " << seed;
    for (const auto& [channel, payloads] : expected)
      ASSERT_EQ(bench.broker.logs[channel].payloads, payloads) << "seed " << seed;
    for (const Done& done : bench.told.dones)
      ASSERT_FALSE(done.met) << "seed " << seed;
  }
}

}  // namespace
}  // namespace peal::monitor
