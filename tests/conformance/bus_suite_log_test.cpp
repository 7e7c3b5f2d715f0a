// The part of the suite about recoverable channels: heads, pages, conditions, and a feed joined to
// live.
#include <algorithm>
#include <future>
#include <random>

#include "bus_suite.hpp"
#include "feed_reader.hpp"

namespace peal::bus::test {
namespace {

using Status = Published::Status;

TEST_P(BusSuite, ARecoverableChannelAnswersWithHeadsAndPositions) {
  start(2);
  watch_and_wait(0, {0, 1}, "log:heads");
  const auto first =
      node(0).with([](auto&, RecordingSink& sink) { return sink.heads.back().head; });
  ASSERT_TRUE(first);
  EXPECT_EQ(first->top, Offset{0});
  const auto outcome = publish_and_wait(1, "log:heads", "x");
  ASSERT_TRUE(outcome.position);
  EXPECT_EQ(*outcome.position, (Position{first->epoch, {1}}));
  ASSERT_TRUE(node(0).heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  node(0).with([&](auto&, RecordingSink& sink) {
    EXPECT_EQ(sink.heard[0].epoch, first->epoch);
    EXPECT_EQ(sink.heard[0].publication.offset, Offset{1});
  });
  watch_and_wait(1, {0, 1}, "log:heads");
  node(1).with([&](auto&, RecordingSink& sink) {
    EXPECT_EQ(sink.heads.back().head, (Head{first->epoch, {1}, {0}}));
  });
}

TEST_P(BusSuite, PagesCoverTheLogForwardsBackwardsAndByState) {
  start(2);
  Epoch epoch;
  for (int n = 1; n <= 30; ++n) {
    const std::string key = "k" + std::to_string(n % 4);
    const std::string payload = std::to_string(n);
    PublishRequest request = publish_request("log:pages", payload);
    request.publication.key = key;
    epoch = publish_and_wait(0, request).position->epoch;
  }
  std::vector<Publication> found;
  ReadRequest read;
  read.channel = "log:pages";
  read.epoch = epoch;
  read.after = {10};
  read.limit = 5;
  Page page = read_and_wait(1, read, found);
  EXPECT_EQ(page.head, (Head{epoch, {30}, {0}}));
  EXPECT_EQ(page.after, Offset{10});
  EXPECT_EQ(page.to, Offset{15});
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].payload, "11");
  EXPECT_EQ(found[0].key, "k3");
  EXPECT_EQ(found[4].offset, Offset{15});
  read.mode = ReadRequest::Mode::reverse;
  page = read_and_wait(1, read, found);
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].payload, "9");
  EXPECT_EQ(page.to, Offset{9});
  EXPECT_EQ(page.after, Offset{4});
  read.mode = ReadRequest::Mode::state;
  read.after = {};
  page = read_and_wait(0, read, found);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].payload, "27");
  EXPECT_EQ(page.to, Offset{30});
  read.mode = ReadRequest::Mode::forward;
  read.after = {31};
  EXPECT_EQ(read_and_wait(0, read, found).error->code, ErrorCode::position_lost);
  read.after = {1};
  read.epoch = Epoch::parse("Elsewher");
  page = read_and_wait(0, read, found);
  EXPECT_EQ(page.error->code, ErrorCode::position_lost);
  EXPECT_EQ(page.head.epoch, epoch);
}

TEST_P(BusSuite, ConditionsSequencesAndKeysAreKept) {
  start(2);
  const auto created = publish_and_wait(0, "log:if", "one");
  PublishRequest wanted = publish_request("log:if", "two");
  wanted.expect = created.position;
  EXPECT_EQ(publish_and_wait(1, wanted).status, Status::ok);
  const auto stale = publish_and_wait(1, wanted);
  EXPECT_EQ(stale.status, Status::refused);
  EXPECT_EQ(stale.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(stale.position->offset, Offset{2});

  PublishRequest sequenced = publish_request("log:if", "three");
  sequenced.publication.source = "producer";
  sequenced.publication.sequence = {4, 2};
  EXPECT_FALSE(publish_and_wait(0, sequenced).duplicate);
  const auto again = publish_and_wait(1, sequenced);
  EXPECT_EQ(again.status, Status::ok);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.last, (Sequence{4, 2}));
  sequenced.publication.sequence = {4, 4};
  sequenced.previous = Sequence{4, 3};
  const auto gap = publish_and_wait(0, sequenced);
  EXPECT_EQ(gap.error->code, ErrorCode::sequence_gap);
  EXPECT_EQ(gap.last, (Sequence{4, 2}));

  PublishRequest keyed = publish_request("log:if", "four");
  keyed.idempotency_key = "once";
  const auto first = publish_and_wait(0, keyed);
  const auto second = publish_and_wait(1, keyed);
  EXPECT_TRUE(second.duplicate);
  EXPECT_EQ(second.position, first.position);
  keyed.publication.payload = "five";
  EXPECT_EQ(publish_and_wait(0, keyed).error->code, ErrorCode::idempotency_conflict);
  EXPECT_EQ(first.position->offset, Offset{4});
}

TEST_P(BusSuite, AValueIsCreatedOnceAndReplacedInANewEpochThatWatchersAreTold) {
  start(2);
  PublishRequest create = publish_request("log:value", "one");
  create.expect_value = ExpectValue::absent;
  const auto created = publish_and_wait(0, create);
  EXPECT_EQ(created.end_byte, 3U);
  EXPECT_EQ(publish_and_wait(1, create).error->code, ErrorCode::expectation_failed);
  watch_and_wait(1, {0, 1}, "log:value");
  PublishRequest replace = publish_request("log:value", "other");
  replace.expect = created.position;
  replace.expect_value = ExpectValue::present;
  replace.expect_end = 3;
  replace.replace = true;
  const auto replaced = publish_and_wait(0, replace);
  ASSERT_TRUE(replaced.position);
  EXPECT_NE(replaced.position->epoch, created.position->epoch);
  EXPECT_EQ(replaced.position->offset, Offset{1});
  EXPECT_EQ(replaced.end_byte, 5U);
  ASSERT_TRUE(node(1).heard([](const RecordingSink& sink) { return sink.heard.size() == 1; }));
  node(1).with([&](auto&, RecordingSink& sink) {
    EXPECT_EQ(sink.heads.back().head, (Head{replaced.position->epoch, {0}, {0}}));
    EXPECT_EQ(sink.heard[0].epoch, replaced.position->epoch);
    EXPECT_EQ(sink.heard[0].publication.offset, Offset{1});
  });
  const auto stale = publish_and_wait(1, replace);
  EXPECT_EQ(stale.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(stale.position, replaced.position);
}

TEST_P(BusSuite, BytesAreAppendedAtTheEndAndReadInPieces) {
  start(2);
  const auto append = [&](std::size_t i, std::uint64_t end, std::string_view bytes) {
    PublishRequest request = publish_request("log:bytes", bytes);
    request.expect_end = end;
    return publish_and_wait(i, request);
  };
  EXPECT_EQ(append(0, 0, "abc").end_byte, 3U);
  EXPECT_EQ(append(1, 3, "defgh").end_byte, 8U);
  const auto late = append(0, 3, "xyz");
  EXPECT_EQ(late.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(late.end_byte, 8U);
  std::vector<Publication> pieces;
  ReadRequest read;
  read.channel = "log:bytes";
  read.mode = ReadRequest::Mode::bytes;
  read.after = {2};
  read.bytes = 3;
  const Page page = read_and_wait(1, read, pieces);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].payload, "c");
  EXPECT_EQ(pieces[1].payload, "de");
  EXPECT_EQ(page.first_byte, 2U);
  EXPECT_EQ(page.end_byte, 8U);
  read.after = {9};
  EXPECT_EQ(read_and_wait(0, read, pieces).error->code, ErrorCode::position_lost);
}

TEST_P(BusSuite, ALogIsRestoredAtExactPositions) {
  start(2);
  const Epoch epoch = *Epoch::parse("Restored");
  const auto place = [&](std::size_t i, std::uint64_t offset, std::string_view payload) {
    PublishRequest request = publish_request("log:place", payload);
    request.place = Position{epoch, {offset}};
    request.place_floor = Offset{4};
    request.expect_end = offset * 10;
    return publish_and_wait(i, request);
  };
  EXPECT_EQ(place(0, 7, "a").position, (Position{epoch, {7}}));
  EXPECT_EQ(place(1, 9, "b").end_byte, 91U);
  EXPECT_EQ(place(0, 9, "c").error->code, ErrorCode::expectation_failed);
  watch_and_wait(1, {0, 1}, "log:place");
  node(1).with([&](auto&, RecordingSink& sink) {
    EXPECT_EQ(sink.heads.back().head, (Head{epoch, {9}, {4}}));
  });
  EXPECT_EQ(publish_and_wait(0, "log:place", "d").position, (Position{epoch, {10}}));
}

TEST_P(BusSuite, KeysAreCompactedAndAFullLogRefuses) {
  start(2);
  for (const char* key : {"x", "y", "x", "x"}) {
    PublishRequest request = publish_request("log:compact", key);
    request.publication.key = key;
    publish_and_wait(0, request);
  }
  std::vector<Publication> found;
  ReadRequest read;
  read.channel = "log:compact";
  const Page page = read_and_wait(1, read, found);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].offset, Offset{2});
  EXPECT_EQ(found[1].offset, Offset{4});
  EXPECT_EQ(page.head.floor, Offset{0});
  EXPECT_EQ(publish_and_wait(0, "log:full", "1").status, Status::ok);
  EXPECT_EQ(publish_and_wait(1, "log:full", "2").status, Status::ok);
  EXPECT_EQ(publish_and_wait(0, "log:full", "3").error->code, ErrorCode::log_full);
}

// Readers join at different moments of a running stream: each must get all of it, once, in order.
TEST_P(BusSuite, AFeedJoinsThePastToLiveWithoutGapOrDuplicate) {
  constexpr int kMessages = 3000;
  constexpr std::size_t kReaders = 4;
  std::vector<std::unique_ptr<BusNode>> nodes;
  std::vector<FeedReader*> readers;
  nodes.push_back(std::make_unique<BusNode>());
  for (std::size_t i = 0; i < kReaders; ++i) {
    auto reader = std::make_unique<FeedReader>(1 + i * 40);
    readers.push_back(reader.get());
    nodes.push_back(std::make_unique<BusNode>(std::move(reader)));
  }
  start(std::move(nodes));
  for (int n = 0; n < kMessages; ++n) {
    node(0).publish("log:join", std::to_string(n), 1 + n);
    if (n % 500 == 250 && static_cast<std::size_t>(n / 500) < kReaders) {
      const auto i = static_cast<std::size_t>(n / 500);
      node(1 + i).with([&](BusPort& port, auto&) { readers[i]->begin(port, "log:join"); });
    }
    ASSERT_TRUE(node(0).heard([&](const RecordingSink& sink) {
      return sink.outcomes.size() + 100 > static_cast<std::size_t>(n);
    }));
  }
  for (std::size_t i = 0; i < kReaders; ++i) {
    FeedReader& reader = *readers[i];
    EXPECT_TRUE(
        node(1 + i).heard([&](const RecordingSink&) { return reader.values.size() >= kMessages; }));
    node(1 + i).with([&](auto&, auto&) {
      EXPECT_EQ(reader.broken, "");
      EXPECT_EQ(reader.resets, 0U);
      ASSERT_EQ(reader.values.size(), static_cast<std::size_t>(kMessages));
      for (int n = 0; n < kMessages; ++n) {
        ASSERT_EQ(reader.values[static_cast<std::size_t>(n)], std::to_string(n));
      }
    });
  }
}

// Above its credit a stalled reader isn't sent recoverable publications but told to pull; the log
// then gives it every one.
TEST_P(BusSuite, AStalledReaderOfALogLosesNothing) {
  constexpr int kMessages = 4000;
  Limits limits;
  limits.link_credit_bytes = 128 * 1024;
  auto owned = std::make_unique<FeedReader>(200);
  FeedReader& reader = *owned;
  std::vector<std::unique_ptr<BusNode>> nodes;
  nodes.push_back(std::make_unique<BusNode>());
  nodes.push_back(std::make_unique<BusNode>(std::move(owned)));
  start(std::move(nodes), limits);
  const std::string channel = driver().channel_away_from(1, "log:stall");
  node(1).with([&](BusPort& port, auto&) { reader.begin(port, channel); });
  const std::string padding(500, 'x');
  const auto publish = [&](int from, int to) {
    for (int n = from; n < to; ++n) {
      const auto outcome = publish_and_wait(0, channel, std::to_string(n) + ' ' + padding);
      ASSERT_TRUE(outcome.status == Status::ok || outcome.error->code == ErrorCode::overloaded);
      if (outcome.status != Status::ok) --n;  // refused for certain, so it may be repeated
    }
  };
  publish(0, 100);
  {
    std::promise<void> stalled, release;
    std::thread staller([&] {
      node(1).with([&](auto&, auto&) {
        stalled.set_value();
        release.get_future().wait_for(std::chrono::seconds(3));
      });
    });
    stalled.get_future().wait();
    publish(100, kMessages / 2);
    release.set_value();
    staller.join();
  }
  // Nothing more is published yet: the head alone must make it pull.
  ASSERT_TRUE(
      node(1).heard([&](const RecordingSink&) { return reader.values.size() == kMessages / 2; }));
  publish(kMessages / 2, kMessages);
  EXPECT_TRUE(
      node(1).heard([&](const RecordingSink&) { return reader.values.size() >= kMessages; }));
  node(1).with([&](auto&, auto&) {
    EXPECT_EQ(reader.broken, "");
    EXPECT_EQ(reader.resets, 0U);
    ASSERT_EQ(reader.values.size(), static_cast<std::size_t>(kMessages));
    for (int n = 0; n < kMessages; ++n) {
      ASSERT_EQ(reader.values[static_cast<std::size_t>(n)], std::to_string(n) + ' ' + padding);
    }
  });
}

}  // namespace
}  // namespace peal::bus::test
