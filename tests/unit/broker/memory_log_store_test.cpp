#include "core/memory_log_store.hpp"

#include <gtest/gtest.h>

#include <set>

namespace peal::broker {
namespace {

class Sink final : public LogStoreSink {
 public:
  void on_head(LogId log, const Result<Head>& head) override {
    heads.emplace_back(log, head.value());
  }
  void on_reset(LogId log, const Head& head) override { resets.emplace_back(log, head); }
  void on_appended(LogId log, const Epoch&, const PublicationView& publication) override {
    appended.emplace_back(log, publication.offset.value);
    order += 'a';
  }
  void on_outcome(PeerId, const bus::Published& outcome) override {
    outcomes.push_back(outcome);
    order += 'o';
  }
  void on_page(PeerId, const bus::Page& page) override {
    pages.push_back(page);
    pages.back().publications = {};
  }

  std::vector<std::pair<LogId, Head>> heads, resets;
  std::vector<std::pair<LogId, std::uint64_t>> appended;
  std::vector<bus::Published> outcomes;
  std::vector<bus::Page> pages;
  std::string order;
};

class MemoryLogStoreTest : public testing::Test {
 protected:
  explicit MemoryLogStoreTest(Limits limits = {})
      : store(
            sink, [](std::string_view) { return ChannelOptions{true}; }, limits,
            [this] { return ++random; }) {}

  const bus::Published& append(std::string_view channel, std::string_view payload) {
    bus::PublishRequest request;
    request.id = 1;
    request.channel = channel;
    request.publication.payload = payload;
    store.append(1, request, now);
    return sink.outcomes.back();
  }
  Head head(std::string_view channel) {
    Head found;
    store.each([&](std::string_view name, const Head& is) {
      if (name == channel) found = is;
    });
    return found;
  }

  Sink sink;
  std::uint64_t random = 0;
  TimePoint now{std::chrono::hours(1)};
  MemoryLogStore store;
};

TEST_F(MemoryLogStoreTest, AChannelGetsItsEpochAtItsFirstUse) {
  store.watch(3, "watched", now);
  append("published", "x");
  bus::ReadRequest read;
  read.channel = "read";
  store.read(1, read, now);
  EXPECT_EQ(store.stats().logs, 3U);
  std::set<std::string_view> epochs{sink.heads[0].second.epoch.view(),
                                    sink.outcomes[0].position->epoch.view(),
                                    sink.pages[0].head.epoch.view()};
  EXPECT_EQ(epochs.size(), 3U);
  store.watch(3, "watched", now);
  EXPECT_EQ(sink.heads[1].second, sink.heads[0].second);
}

TEST_F(MemoryLogStoreTest, TellsWatchersBeforeItAcknowledges) {
  store.watch(3, "a", now);
  append("a", "x");
  EXPECT_EQ(sink.order, "ao");
  EXPECT_EQ(sink.appended[0], (std::pair<LogId, std::uint64_t>{3, 1}));
  store.unwatch(3, now);
  append("a", "y");
  EXPECT_EQ(sink.order, "aoo");
  EXPECT_EQ(sink.outcomes[1].position->offset, Offset{2});
}

TEST_F(MemoryLogStoreTest, APositionIsRememberedLongerThanItsPublications) {
  append("a", "x");
  const Epoch epoch = head("a").epoch;
  now += std::chrono::hours(24 * 29);
  store.tick(now);
  EXPECT_EQ(head("a"), (Head{epoch, {1}, {1}}));
  now += std::chrono::hours(24 * 2);
  store.tick(now);
  EXPECT_EQ(store.stats().logs, 0U);
  EXPECT_EQ(store.stats().bytes, 0U);
}

TEST_F(MemoryLogStoreTest, ANameThatWasOnlyAskedForIsForgottenAfterADay) {
  append("a", "x");
  store.watch(3, "asked for", now);
  store.unwatch(3, now);
  now += std::chrono::hours(23);
  store.tick(now);
  EXPECT_EQ(store.stats().logs, 2U);
  now += std::chrono::hours(1);
  store.tick(now);
  EXPECT_EQ(store.stats().logs, 1U);
  EXPECT_EQ(head("a").top, Offset{1});
}

TEST_F(MemoryLogStoreTest, AWatchedChannelKeepsItsPosition) {
  store.watch(3, "a", now);
  append("a", "x");
  now += std::chrono::hours(24 * 60);
  store.tick(now);
  EXPECT_EQ(store.stats().logs, 1U);
  store.unwatch(3, now);
  store.tick(now);
  EXPECT_EQ(store.stats().logs, 1U);
}

class ShortOfMemory : public MemoryLogStoreTest {
 protected:
  ShortOfMemory() : MemoryLogStoreTest(limits()) {}
  static Limits limits() {
    Limits small;
    small.log_bytes_max = 40'000;
    return small;
  }
};

TEST_F(ShortOfMemory, GivesUpTheLeastRecentlyUsedChannelThatNobodyWatches) {
  const std::string payload(10'000, 'x');
  store.watch(3, "watched", now);
  append("watched", payload);
  append("old", payload);
  append("young", payload);
  append("old", "used again");
  append("fresh", payload);
  EXPECT_LE(store.stats().bytes, 40'000U);
  EXPECT_EQ(store.stats().epochs_ended, 1U);
  EXPECT_EQ(head("young").top, Offset{0});
  EXPECT_EQ(head("old").top, Offset{2});
  EXPECT_EQ(head("watched").top, Offset{1});
  EXPECT_TRUE(sink.resets.empty());
}

TEST_F(ShortOfMemory, GivesUpNoValueForNamesThatAreOnlyAskedFor) {
  append("old", "a value");
  const Head kept = head("old");
  const auto names = [&](const std::string& prefix) {
    for (int i = 0; i < 1000; ++i) {
      store.watch(7, prefix + std::to_string(i), now);
      store.unwatch(7, now);
    }
  };
  names("watched ");
  EXPECT_LE(store.stats().bytes, 40'000U);
  EXPECT_GT(store.stats().epochs_ended, 500U);
  EXPECT_EQ(head("old"), kept);
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "read " + std::to_string(i);
    bus::ReadRequest read;
    read.channel = name;
    store.read(1, read, now);
  }
  EXPECT_EQ(head("old"), kept);
  // What has got a value is as good as the others, and none is lost count of.
  append("read 999", "another");
  names("again ");
  EXPECT_EQ(head("read 999").top, Offset{1});
  EXPECT_EQ(head("old"), kept);
  std::size_t count = 0;
  store.each([&](std::string_view, const Head&) { ++count; });
  EXPECT_EQ(count, store.stats().logs);
}

TEST_F(ShortOfMemory, AWatchedLogThatIsGivenUpIsTold) {
  const std::string payload(15'000, 'x');
  store.watch(1, "first", now);
  store.watch(2, "second", now);
  store.watch(3, "third", now);
  append("first", payload);
  append("second", payload);
  EXPECT_TRUE(sink.resets.empty());
  append("third", payload);
  ASSERT_EQ(sink.resets.size(), 1U);
  EXPECT_EQ(sink.resets[0].first, 1U);
  EXPECT_NE(sink.resets[0].second.epoch, sink.heads[0].second.epoch);
  EXPECT_EQ(sink.resets[0].second.top, Offset{0});
  append("first", "y");
  EXPECT_EQ(sink.outcomes.back().position->epoch, sink.resets[0].second.epoch);
  EXPECT_EQ(head("third").top, Offset{1});
}

}  // namespace
}  // namespace peal::broker
