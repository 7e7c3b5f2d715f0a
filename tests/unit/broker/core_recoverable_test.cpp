// The core over a store: which channels have one, who is answered when, and what an asynchronous
// store may do to the order of things.

#include <gtest/gtest.h>

#include <deque>

#include "peal/broker/core.hpp"
#include "peal/bus/feed.hpp"
#include "recording_out.hpp"

namespace peal::broker {
namespace {

using bus::Alias;
using Story = std::vector<std::string>;
using Status = bus::Published::Status;

ChannelOptions by_prefix(std::string_view channel) {
  ChannelOptions options;
  options.recoverable = channel.starts_with("log:");
  return options;
}

bus::PublishRequest request(std::string_view channel, std::string_view payload,
                            bus::RequestId id = 0) {
  bus::PublishRequest made;
  made.id = id;
  made.channel = channel;
  made.publication.payload = payload;
  return made;
}

class RecoverableCore : public testing::Test {
 protected:
  double number(std::string_view name) { return test::NumbersSink(core.probe())[name]; }

  test::RecordingOut out;
  TimePoint now{std::chrono::hours(1)};
  std::uint64_t random = 0;
  Core core{out, by_prefix, Limits{}, [this] { return ++random; }};
};

TEST_F(RecoverableCore, HeadsAnswerWatchesAndPositionsAnswerPublishes) {
  core.watch(1, {0, 1}, "log:a", now);
  ASSERT_EQ(out.heads.size(), 1U);
  ASSERT_TRUE(out.heads[0].head);
  const Head head = *out.heads[0].head;
  EXPECT_EQ(head.top, Offset{0});
  core.publish(2, request("log:a", "x", 7), now);
  EXPECT_EQ(out.story, (Story{"head 1", "deliver 1 x", "published 2 7"}));
  EXPECT_EQ(out.deliveries[0].epoch, head.epoch);
  EXPECT_EQ(out.deliveries[0].publication.offset, Offset{1});
  EXPECT_EQ(out.outcomes[0].position, (Position{head.epoch, {1}}));
  core.watch(3, {0, 1}, "log:a", now);
  EXPECT_EQ(out.heads[1].head->top, Offset{1});
}

TEST_F(RecoverableCore, ALogIsWrittenWhetherOrNotSomebodyWatches) {
  core.publish(1, request("log:a", "x", 1), now);
  core.publish(1, request("log:a", "y", 2), now);
  bus::ReadRequest read;
  read.id = 5;
  read.channel = "log:a";
  core.read(1, read, now);
  ASSERT_EQ(out.page_publications.size(), 2U);
  EXPECT_EQ(out.page_publications[1].payload, "y");
  EXPECT_EQ(out.pages[0].head.top, Offset{2});
  EXPECT_EQ(number("peal_core_channels"), 0);
  EXPECT_EQ(number("peal_core_pages_total"), 1);
}

TEST_F(RecoverableCore, RefusalsAndDuplicatesReachNobodyAndAreCounted) {
  core.watch(1, {0, 1}, "log:a", now);
  auto wanted = request("log:a", "x", 1);
  wanted.publication.source = "s";
  wanted.publication.sequence = {1, 1};
  core.publish(1, wanted, now);
  core.publish(1, wanted, now);
  wanted.publication.sequence = {1, 3};
  wanted.previous = Sequence{1, 2};
  core.publish(1, wanted, now);
  EXPECT_EQ(out.deliveries.size(), 1U);
  EXPECT_TRUE(out.outcomes[1].duplicate);
  EXPECT_EQ(out.outcomes[2].error->code, ErrorCode::sequence_gap);
  EXPECT_EQ(number("peal_core_duplicates_total"), 1);
  EXPECT_EQ(number("peal_core_refused_total{sequence_gap}"), 1);
}

TEST_F(RecoverableCore, ChannelsWithOnlyALogAreListedToo) {
  core.watch(1, {0, 1}, "a", now);
  core.watch(1, {1, 1}, "log:b", now);
  core.publish(1, request("log:c", "x"), now);
  std::string listed;
  core.channels("", 10, [&](const Core::ChannelInfo& channel) {
    listed += std::string(channel.name) + ' ' + std::to_string(channel.peers) +
              (channel.head ? " top " + std::to_string(channel.head->top.value) : "") + '\n';
  });
  EXPECT_EQ(listed, "a 1\nlog:b 1 top 0\nlog:c 0 top 1\n");
  core.tick(now);
  EXPECT_EQ(number("peal_core_logs"), 2);
  EXPECT_GT(number("peal_core_log_bytes"), 0);
}

TEST_F(RecoverableCore, WatchesOfADroppedPeerEnd) {
  core.watch(1, {0, 1}, "log:a", now);
  EXPECT_FALSE(core.drop_peer(1));
  EXPECT_EQ(number("peal_core_channels"), 0);
  core.publish(2, request("log:a", "x"), now);
  EXPECT_TRUE(out.deliveries.empty());
}

/// A memory store whose calls are carried out only when the test says so.
class LateStore final : public LogStore {
 public:
  explicit LateStore(std::unique_ptr<LogStore> store) : store_(std::move(store)) {}
  void watch(LogId log, std::string_view channel, TimePoint now) override {
    calls_.push_back([=, this, name = std::string(channel)] { store_->watch(log, name, now); });
  }
  void unwatch(LogId log, TimePoint now) override {
    calls_.push_back([=, this] { store_->unwatch(log, now); });
  }
  void append(PeerId peer, const bus::PublishRequest& wanted, TimePoint now) override {
    calls_.push_back([=, this, name = std::string(wanted.channel), id = wanted.id,
                      payload = std::string(wanted.publication.payload)] {
      store_->append(peer, request(name, payload, id), now);
    });
  }
  void read(PeerId, const bus::ReadRequest&, TimePoint) override {}
  void tick(TimePoint) override {}
  void each(const std::function<void(std::string_view, const Head&)>&) const override {}
  LogStoreStats stats() const override { return {}; }

  void carry_out() {
    while (!calls_.empty()) {
      calls_.front()();
      calls_.pop_front();
    }
  }

 private:
  std::unique_ptr<LogStore> store_;
  std::deque<std::function<void()>> calls_;
};

class CoreOverALateStore : public RecoverableCore {
 protected:
  CoreOverALateStore() {
    late_core = std::make_unique<Core>(
        out, by_prefix, Limits{}, [] { return 1; },
        StoreChoice{.make = [this](const StoreSeat& seat) {
          auto made = std::make_unique<LateStore>(
              make_memory_log_store(seat.sink, by_prefix, Limits{}, [this] { return ++random; }));
          store = made.get();
          return made;
        }});
  }
  LateStore* store = nullptr;
  std::unique_ptr<Core> late_core;
};

TEST_F(CoreOverALateStore, NothingComesBeforeTheAnswerToTheWatch) {
  late_core->watch(1, {0, 1}, "log:a", now);
  store->carry_out();
  late_core->publish(9, request("log:a", "before", 1), now);
  late_core->watch(2, {0, 1}, "log:a", now);
  late_core->publish(9, request("log:a", "after", 2), now);
  EXPECT_EQ(out.story, (Story{"head 1"}));
  store->carry_out();
  EXPECT_EQ(out.story, (Story{"head 1", "deliver 1 before", "published 9 1", "head 2",
                              "deliver 1 after", "deliver 2 after", "published 9 2"}));
  EXPECT_EQ(out.heads[1].head->top, Offset{1});
}

TEST_F(CoreOverALateStore, AWatchEndedBeforeItsAnswerIsNotAnswered) {
  late_core->watch(1, {0, 1}, "log:a", now);
  late_core->watch(2, {0, 1}, "log:a", now);
  late_core->unwatch(1, {0, 1}, now);
  store->carry_out();
  EXPECT_EQ(out.story, (Story{"head 2"}));
  late_core->unwatch(2, {0, 1}, now);
  late_core->watch(2, {0, 2}, "log:a", now);
  late_core->unwatch(2, {0, 2}, now);
  store->carry_out();
  EXPECT_EQ(out.story.size(), 1U);
  EXPECT_EQ(test::NumbersSink(late_core->probe())["peal_core_watches"], 0);
}

TEST_F(CoreOverALateStore, ALateAnswerAboutAChannelThatIsGoneIsNotTakenForAnother) {
  late_core->publish(9, request("log:old", "x", 0), now);
  late_core->watch(1, {0, 1}, "log:old", now);
  late_core->unwatch(1, {0, 1}, now);
  late_core->watch(1, {0, 2}, "log:new", now);
  store->carry_out();
  ASSERT_EQ(out.heads.size(), 1U);
  EXPECT_EQ(out.heads[0].alias, (Alias{0, 2}));
  EXPECT_EQ(out.heads[0].head->top, Offset{0});
}

TEST_F(CoreOverALateStore, WatchingTwiceBeforeTheAnswerDeliversOnce) {
  late_core->watch(1, {0, 1}, "log:a", now);
  late_core->watch(1, {0, 1}, "log:a", now);
  late_core->publish(9, request("log:a", "x"), now);
  store->carry_out();
  EXPECT_EQ(out.deliveries.size(), 1U);
  EXPECT_GE(out.heads.size(), 1U);
}

/// Loses the deliveries that it is told to lose.
class LossyOut final : public CoreOut {
 public:
  void deliver(std::span<const Target>, const Epoch& epoch,
               const PublicationView& publication) override {
    if (lose) return;
    if (feed.on_publication(epoch, publication.offset) == bus::Feed::Step::deliver) {
      heard += publication.payload;
    }
  }
  void head(PeerId, const bus::HeadNotice& notice) override {
    ++heads;
    if (notice.answer) {
      feed = bus::Feed(*notice.head);
    } else if (feed.on_head(*notice.head) == bus::Feed::Step::hole) {
      missing = true;
    }
  }
  void published(PeerId, const bus::Published&) override {}
  void page(PeerId, const bus::Page& page) override {
    for (const PublicationView& publication : page.publications)
      heard += publication.payload;
    feed.advance(page.to);
  }
  void presence(PeerId, const bus::PresenceAnswer&) override {}
  void presence_event(PeerId, const bus::PresenceEvent&) override {}
  void occupancy(Occupancy, std::string_view) override {}

  bool lose = false, missing = false;
  std::string heard;
  std::size_t heads = 0;
  bus::Feed feed;
};

class SilentCore : public testing::Test {
 protected:
  void seconds(int count) {
    for (; count > 0; --count)
      core.tick(now += std::chrono::seconds(1));
  }
  LossyOut out;
  TimePoint now{std::chrono::hours(1)};
  std::uint64_t random = 0;
  Core core{out, by_prefix, Limits{}, [this] { return ++random; }};
};

TEST_F(SilentCore, ALostLastPublicationIsRepairedWhenTheChannelFallsSilent) {
  core.watch(1, {0, 1}, "log:a", now);
  core.publish(2, request("log:a", "x"), now);
  out.lose = true;
  core.publish(2, request("log:a", "y"), now);
  seconds(4);
  EXPECT_FALSE(out.missing);
  seconds(2);
  ASSERT_TRUE(out.missing);
  bus::ReadRequest read;
  read.channel = "log:a";
  read.epoch = out.feed.epoch();
  read.after = {out.feed.next().value - 1};
  core.read(1, read, now);
  EXPECT_EQ(out.heard, "xy");
}

TEST_F(SilentCore, ASilenceIsToldOnceAndABusyChannelIsNotInterrupted) {
  core.watch(1, {0, 1}, "log:a", now);
  for (int i = 0; i < 20; ++i) {
    core.publish(2, request("log:a", "x"), now);
    seconds(3);
  }
  EXPECT_EQ(out.heads, 1U);
  seconds(100);
  EXPECT_EQ(out.heads, 2U);
  EXPECT_FALSE(out.missing);
  core.publish(2, request("log:a", "x"), now);
  seconds(100);
  EXPECT_EQ(out.heads, 3U);
}

TEST_F(SilentCore, AChannelThatNobodyWatchesAnyMoreIsNotTold) {
  core.watch(1, {0, 1}, "log:a", now);
  core.publish(2, request("log:a", "x"), now);
  core.unwatch(1, {0, 1}, now);
  core.watch(1, {0, 2}, "log:b", now);
  seconds(100);
  EXPECT_EQ(out.heads, 2U);
}

}  // namespace
}  // namespace peal::broker
