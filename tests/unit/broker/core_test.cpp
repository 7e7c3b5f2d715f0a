#include "peal/broker/core.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "recording_out.hpp"

namespace peal::broker {
namespace {

using bus::Alias;
using Status = bus::Published::Status;

class CoreTest : public testing::Test {
 protected:
  explicit CoreTest(Limits limits = {})
      : core(
            out, [](std::string_view) { return ChannelOptions{}; }, limits, [] { return 1; }) {}

  void watch(PeerId peer, Alias alias, std::string_view name) {
    core.watch(peer, alias, name, now);
  }
  void publish(PeerId peer, std::string_view name, std::string_view payload,
               bus::RequestId id = 0) {
    bus::PublishRequest request;
    request.id = id;
    request.channel = name;
    request.publication.payload = payload;
    core.publish(peer, request, now);
  }
  double number(std::string_view name) { return test::NumbersSink(core.probe())[name]; }

  test::RecordingOut out;
  TimePoint now{};
  Core core;
};

TEST_F(CoreTest, APublicationReachesEveryWatcherInOneCallThePublisherIncluded) {
  watch(1, {0, 1}, "a");
  watch(2, {5, 1}, "a");
  watch(2, {6, 1}, "b");
  out.clear();
  publish(1, "a", "hello", 7);
  EXPECT_EQ(out.deliver_calls, 1U);
  ASSERT_EQ(out.deliveries.size(), 2U);
  EXPECT_EQ(out.deliveries[1].alias, (Alias{5, 1}));
  EXPECT_EQ(out.deliveries[0].publication.offset, Offset{});
  ASSERT_EQ(out.outcomes.size(), 1U);
  EXPECT_EQ(out.outcomes[0].id, 7U);
  EXPECT_EQ(out.outcomes[0].status, Status::ok);
  EXPECT_FALSE(out.outcomes[0].position);
}

TEST_F(CoreTest, AnEphemeralPublicationHasNoOffsetWhateverThePublisherSays) {
  watch(1, {0, 1}, "a");
  bus::PublishRequest request;
  request.channel = "a";
  request.publication.offset = {42};
  core.publish(2, request, now);
  ASSERT_EQ(out.deliveries.size(), 1U);
  EXPECT_EQ(out.deliveries[0].publication.offset, Offset{});
}

TEST_F(CoreTest, AWatchOfAnEphemeralChannelIsAnsweredWithoutAHead) {
  watch(3, {0, 1}, "a");
  ASSERT_EQ(out.heads.size(), 1U);
  EXPECT_TRUE(out.heads[0].answer);
  EXPECT_FALSE(out.heads[0].head);
  EXPECT_FALSE(out.heads[0].error);
}

TEST_F(CoreTest, WatchingAgainAnswersAgainAndDeliversOnce) {
  watch(1, {0, 1}, "a");
  watch(1, {0, 1}, "a");
  EXPECT_EQ(out.heads.size(), 2U);
  publish(1, "a", "x");
  EXPECT_EQ(out.deliveries.size(), 1U);
  core.unwatch(1, {0, 1}, now);
  EXPECT_EQ(number("peal_core_watches"), 0);
}

TEST_F(CoreTest, AnAliasIndexUsedAnewEndsTheOldWatch) {
  watch(1, {0, 1}, "a");
  watch(1, {0, 2}, "b");
  publish(2, "a", "old");
  publish(2, "b", "new");
  ASSERT_EQ(out.deliveries.size(), 1U);
  EXPECT_EQ(out.deliveries[0].alias, (Alias{0, 2}));
  EXPECT_EQ(number("peal_core_channels"), 1);
}

TEST_F(CoreTest, AnAliasIndexUsedAnewForTheSameChannelKeepsIt) {
  watch(1, {0, 1}, "a");
  watch(1, {0, 2}, "a");
  publish(2, "a", "x");
  ASSERT_EQ(out.deliveries.size(), 1U);
  EXPECT_EQ(out.deliveries[0].alias, (Alias{0, 2}));
}

TEST_F(CoreTest, NothingComesAfterUnwatch) {
  watch(1, {0, 1}, "a");
  core.unwatch(1, {0, 1}, now);
  core.unwatch(1, {0, 1}, now);
  publish(2, "a", "x", 1);
  EXPECT_TRUE(out.deliveries.empty());
  EXPECT_EQ(out.outcomes.at(0).status, Status::ok);
}

TEST_F(CoreTest, ConditionsThatOnlyALogCanKeepAreRefused) {
  watch(1, {0, 1}, "a");
  for (const std::string_view name : {"a", "unwatched"}) {
    bus::PublishRequest request;
    request.id = 1;
    request.channel = name;
    request.expect = Position{};
    core.publish(1, request, now);
    request.expect.reset();
    request.previous = Sequence{};
    core.publish(1, request, now);
    request.previous.reset();
    request.idempotency_key = "k";
    core.publish(1, request, now);
    request.idempotency_key = {};
    request.expect_value = bus::ExpectValue::absent;
    core.publish(1, request, now);
    request.expect_value = bus::ExpectValue::any;
    request.expect_end = 0;
    core.publish(1, request, now);
    request.expect_end.reset();
    request.replace = true;
    core.publish(1, request, now);
    request.replace = false;
    request.place = Position{};
    core.publish(1, request, now);
  }
  ASSERT_EQ(out.outcomes.size(), 14U);
  for (const auto& outcome : out.outcomes) {
    EXPECT_EQ(outcome.status, Status::refused);
    EXPECT_EQ(outcome.error->code, ErrorCode::not_recoverable);
  }
  EXPECT_TRUE(out.deliveries.empty());
  EXPECT_EQ(number("peal_core_refused_total{not_recoverable}"), 14);
}

TEST_F(CoreTest, ANameThatIsNoneIsRefusedEverywhereAndLeavesNothing) {
  const std::string_view bad = "line\nbreak";
  watch(1, {0, 1}, bad);
  publish(1, bad, "x", 1);
  bus::ReadRequest read;
  read.id = 9;
  read.channel = bad;
  core.read(1, read, now);
  EXPECT_EQ(out.heads.at(0).error->code, ErrorCode::channel_name_invalid);
  EXPECT_EQ(out.outcomes.at(0).error->code, ErrorCode::channel_name_invalid);
  EXPECT_EQ(out.pages.at(0).error->code, ErrorCode::channel_name_invalid);
  EXPECT_EQ(number("peal_core_channels") + number("peal_core_watches"), 0);
}

TEST_F(CoreTest, APayloadAboveTheLimitIsRefusedByName) {
  watch(1, {0, 1}, "a");
  publish(1, "a", std::string(Limits{}.message_bytes_max + 1, 'x'), 1);
  EXPECT_EQ(out.outcomes.at(0).error->code, ErrorCode::message_too_large);
  EXPECT_NE(out.outcomes[0].error->message.find("limits.message_bytes_max"), std::string::npos);
  EXPECT_TRUE(out.deliveries.empty());
  publish(1, "a", std::string(Limits{}.message_bytes_max, 'x'), 2);
  EXPECT_EQ(out.deliveries.size(), 1U);
}

TEST_F(CoreTest, AnEphemeralChannelHasNoHistory) {
  bus::ReadRequest read;
  read.id = 9;
  read.channel = "a";
  core.read(1, read, now);
  EXPECT_EQ(out.pages.at(0).id, 9U);
  EXPECT_EQ(out.pages[0].error->code, ErrorCode::not_recoverable);
}

TEST_F(CoreTest, APeerWithManyWatchesIsDroppedInBoundedSteps) {
  for (std::uint32_t i = 0; i < 10'000; ++i)
    watch(1, {i, 1}, "c" + std::to_string(i));
  watch(2, {0, 1}, "c0");
  int calls = 1;
  while (core.drop_peer(1))
    ++calls;
  EXPECT_GE(calls, 3);
  EXPECT_EQ(number("peal_core_watches"), 1);
  EXPECT_EQ(number("peal_core_channels"), 1);
  EXPECT_FALSE(core.drop_peer(1));
}

TEST_F(CoreTest, ChannelsAreListedInNameOrderPageByPage) {
  for (std::uint32_t i = 0; i < 250; ++i)
    watch(1, {i, 1}, "c" + std::to_string(1000 + i));
  watch(2, {0, 1}, "c1249");
  std::vector<std::string> names;
  std::size_t pages = 0;
  for (std::string after;; ++pages) {
    const std::size_t before = names.size();
    core.channels(after, 100, [&](const Core::ChannelInfo& channel) {
      names.emplace_back(channel.name);
      EXPECT_EQ(channel.peers, channel.name == "c1249" ? 2U : 1U);
    });
    if (names.size() == before) break;
    after = names.back();
  }
  EXPECT_EQ(pages, 3U);
  ASSERT_EQ(names.size(), 250U);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  core.channels("", 0, [](const Core::ChannelInfo&) { FAIL() << "a page of nothing"; });
}

class SmallCoreTest : public CoreTest {
 protected:
  SmallCoreTest() : CoreTest(limits()) {}
  static Limits limits() {
    Limits small;
    small.channels_max = 3;
    return small;
  }
};

TEST_F(SmallCoreTest, ChannelsAboveTheLimitAreRefusedAndAliasesTooLarge) {
  watch(1, {0, 1}, "a");
  watch(1, {1, 1}, "b");
  watch(1, {2, 1}, "c");
  watch(2, {0, 1}, "a");
  EXPECT_FALSE(out.heads.back().error);
  watch(2, {1, 1}, "d");
  EXPECT_EQ(out.heads.back().error->code, ErrorCode::overloaded);
  watch(2, {4'000'000'000U, 1}, "a");
  EXPECT_EQ(out.heads.back().error->code, ErrorCode::overloaded);
  core.unwatch(1, {2, 1}, now);
  watch(2, {1, 2}, "d");
  EXPECT_FALSE(out.heads.back().error);
}

}  // namespace
}  // namespace peal::broker
