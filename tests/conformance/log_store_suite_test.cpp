#include "log_store_suite.hpp"

#include <random>

namespace peal::broker::test {
namespace {

using Mode = bus::ReadRequest::Mode;
using Status = bus::Published::Status;
using What = StoreEvent::What;

const Epoch kElsewhere = *Epoch::parse("Elsewher");

TEST_P(LogStoreSuite, AWatchIsAnsweredWithTheHeadAndAgainWithAFreshOne) {
  const Head first = watch_and_wait(7, "a");
  EXPECT_EQ(first.top, Offset{0});
  append_and_wait("a", "x");
  EXPECT_EQ(watch_and_wait(7, "a"), (Head{first.epoch, {1}, {0}}));
}

TEST_P(LogStoreSuite, AChannelGetsItsEpochAtItsFirstWatchReadOrPublish) {
  const Epoch watched = watch_and_wait(1, "watched").epoch;
  const Epoch published = append_and_wait("published", "x").position->epoch;
  const Epoch read = read_and_wait(reading("read")).head.epoch;
  EXPECT_NE(watched, published);
  EXPECT_NE(published, read);
  EXPECT_EQ(append_and_wait("watched", "x").position, (Position{watched, {1}}));
  EXPECT_EQ(watch_and_wait(2, "published"), (Head{published, {1}, {0}}));
  EXPECT_EQ(append_and_wait("read", "x").position, (Position{read, {1}}));
}

TEST_P(LogStoreSuite, ALogIsToldAppendByAppendAndEachIsAcknowledgedAfterItWasTold) {
  watch_and_wait(7, "kept");
  constexpr std::uint64_t kMany = 200;
  bus::RequestId first = 0, latest = 0;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    latest = append(request("kept", std::to_string(i + 1)));
    if (i == 0) first = latest;
  }
  ASSERT_TRUE(until([&] { return answered(latest); }));
  std::uint64_t told = 0, acknowledged = 0;
  for (const StoreEvent& event : events) {
    if (event.what == What::appended) {
      EXPECT_EQ(event.log, 7U);
      EXPECT_EQ(event.publication.offset, Offset{++told});
      EXPECT_EQ(event.publication.payload, std::to_string(told));
    } else if (event.what == What::outcome) {
      EXPECT_EQ(event.outcome.id, first + acknowledged);
      EXPECT_EQ(event.outcome.position->offset, Offset{++acknowledged});
      EXPECT_LE(acknowledged, told);
    }
  }
  EXPECT_EQ(told, kMany);
  EXPECT_EQ(acknowledged, kMany);
}

TEST_P(LogStoreSuite, TheHeadThatAnswersAWatchSaysExactlyWhatComesAfterIt) {
  bus::RequestId latest = 0;
  for (int i = 0; i < 50; ++i) {
    latest = append(request("kept", "x"));
    if (i == 20) store().watch(7, "kept", now);
    if (i == 40) store().watch(7, "kept", now);
  }
  ASSERT_TRUE(until([&] { return answered(latest) && count(What::head) == 2; }));
  std::uint64_t next = 0;
  for (const StoreEvent& event : events) {
    if (event.what == What::head) {
      if (next != 0) {
        EXPECT_EQ(event.head.top, Offset{next});
      }
      next = event.head.top.value;
    } else if (event.what == What::appended) {
      EXPECT_EQ(event.publication.offset, Offset{++next});
    }
  }
  EXPECT_EQ(next, 50U);
}

TEST_P(LogStoreSuite, AfterUnwatchNothingIsTold) {
  watch_and_wait(7, "a");
  append_and_wait("a", "x");
  store().unwatch(7, now);
  append_and_wait("a", "y");
  EXPECT_EQ(count(What::appended), 1U);
  store().unwatch(7, now);
  store().unwatch(8, now);
  EXPECT_EQ(watch_and_wait(9, "a").top, Offset{2});
}

TEST_P(LogStoreSuite, ReadsSeeWhatWasAppendedBeforeAndNeverWhatWasNotTold) {
  watch_and_wait(7, "kept");
  for (int i = 0; i < 20; ++i) {
    append(request("kept", "x"));
    bus::ReadRequest read = reading("kept", Mode::reverse);
    read.id = 5;
    store().read(1, read, now);
  }
  ASSERT_TRUE(until([&] { return count(What::page) == 20 && count(What::outcome) == 20; }));
  std::uint64_t told = 0, pages = 0;
  for (const StoreEvent& event : events) {
    if (event.what == What::appended) told = event.publication.offset.value;
    if (event.what != What::page) continue;
    ++pages;
    EXPECT_GE(event.head.top.value, pages);
    EXPECT_LE(event.head.top.value, told);
    EXPECT_EQ(event.publications.size(), event.head.top.value);
  }
}

TEST_P(LogStoreSuite, APublicationKeepsEveryFieldAndEveryByte) {
  std::string payload(500'000, '\0');
  std::mt19937 random(1);
  for (char& byte : payload)
    byte = static_cast<char>(random());
  const Publication whole{Kind::deletion, {},     payload,  "key", "text/x",      R"({"a":1})",
                          "source",       {1, 2}, "ann/s1", 77,    "\x82\x01\x00"};
  bus::PublishRequest made;
  made.channel = "a";
  made.publication = view_of(whole);
  watch_and_wait(7, "a");
  EXPECT_EQ(append_and_wait(made).end_byte, payload.size());
  const auto same = [&](const Publication& found) {
    EXPECT_EQ(found.kind, whole.kind);
    EXPECT_EQ(found.offset, Offset{1});
    EXPECT_TRUE(found.payload == whole.payload);
    EXPECT_EQ(found.key, whole.key);
    EXPECT_EQ(found.type, whole.type);
    EXPECT_EQ(found.tags, whole.tags);
    EXPECT_EQ(found.source, whole.source);
    EXPECT_EQ(found.sequence, whole.sequence);
    EXPECT_EQ(found.origin, whole.origin);
    EXPECT_EQ(found.time_ms, whole.time_ms);
    EXPECT_EQ(found.unknown_fields, whole.unknown_fields);
  };
  same(last(What::appended).publication);
  same(read_and_wait(reading("a")).publications.at(0));
}

TEST_P(LogStoreSuite, OfTwoThatExpectTheSameOneWinsAndTheOtherIsToldWhereTheLogIs) {
  const auto created = append_and_wait("a", "one");
  bus::PublishRequest two = request("a", "two");
  two.expect = created.position;
  append(two);
  const auto id = append(two);
  ASSERT_TRUE(until([&] { return answered(id); }));
  EXPECT_EQ(events[events.size() - 2].outcome.status, Status::ok);
  const bus::Published& lost = events.back().outcome;
  EXPECT_EQ(lost.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(lost.position, (Position{created.position->epoch, {2}}));
}

TEST_P(LogStoreSuite, AValueIsCreatedOnce) {
  bus::PublishRequest made = request("a", "one");
  made.expect_value = bus::ExpectValue::absent;
  append(made);
  const auto id = append(made);
  ASSERT_TRUE(until([&] { return answered(id); }));
  EXPECT_EQ(last(What::outcome).outcome.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(payloads(reading("a")), "one");
}

TEST_P(LogStoreSuite, AProducerIsHeardOnceHoweverFastItRepeats) {
  bus::PublishRequest made = request("a", "one");
  made.publication.source = "producer";
  made.publication.sequence = {1, 5};
  append(made);
  append(made);
  made.publication.sequence = {1, 7};
  made.previous = Sequence{1, 6};
  const auto id = append(made);
  ASSERT_TRUE(until([&] { return answered(id); }));
  const bus::Published& again = events[events.size() - 2].outcome;
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.position->offset, Offset{1});
  EXPECT_EQ(again.last, (Sequence{1, 5}));
  EXPECT_EQ(events.back().outcome.error->code, ErrorCode::sequence_gap);
  EXPECT_EQ(payloads(reading("a")), "one");
}

TEST_P(LogStoreSuite, AnIdempotencyKeyStandsForOneBodyForItsTime) {
  bus::PublishRequest made = request("kept", "one");
  made.idempotency_key = "once";
  const auto first = append_and_wait(made);
  EXPECT_EQ(append_and_wait(made).position, first.position);
  made.publication.payload = "two";
  EXPECT_EQ(append_and_wait(made).error->code, ErrorCode::idempotency_conflict);
  now += limits.idempotency_ttl;
  EXPECT_EQ(append_and_wait(made).position->offset, Offset{2});
}

TEST_P(LogStoreSuite, ReplacingTellsAResetThenThePublicationThenTheOutcome) {
  const Head before = watch_and_wait(7, "a");
  append_and_wait("a", "old");
  events.clear();
  bus::PublishRequest made = request("a", "new");
  made.replace = true;
  made.expect_end = 3;
  const auto outcome = append_and_wait(made);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].what, What::reset);
  EXPECT_EQ(events[0].log, 7U);
  EXPECT_NE(events[0].head.epoch, before.epoch);
  EXPECT_EQ(events[0].head.top, Offset{0});
  EXPECT_EQ(events[1].what, What::appended);
  EXPECT_EQ(events[1].epoch, events[0].head.epoch);
  EXPECT_EQ(outcome.position, (Position{events[0].head.epoch, {1}}));
  EXPECT_EQ(outcome.end_byte, 3U);
  EXPECT_EQ(payloads(reading("a")), "new");
  bus::ReadRequest old = reading("a");
  old.epoch = before.epoch;
  EXPECT_EQ(read_and_wait(old).page.error->code, ErrorCode::position_lost);
}

TEST_P(LogStoreSuite, PagesAreReadForwardsBackwardsByStateAndByBytes) {
  for (const char* text : {"a1", "b2", "a3", "c4"}) {
    append_and_wait(request("kept", text, std::string_view(text, 1)));
  }
  EXPECT_EQ(payloads(reading("kept", Mode::forward, 1)), "b2a3c4");
  EXPECT_EQ(payloads(reading("kept", Mode::reverse, 4)), "a3b2a1");
  EXPECT_EQ(payloads(reading("kept", Mode::state)), "b2a3c4");
  bus::ReadRequest two = reading("kept", Mode::forward);
  two.limit = 2;
  const StoreEvent page = read_and_wait(two);
  EXPECT_EQ(page.page.after, Offset{0});
  EXPECT_EQ(page.page.to, Offset{2});
  EXPECT_EQ(page.publications[1].key, "b");
  bus::ReadRequest bytes = reading("kept", Mode::bytes, 3);
  bytes.bytes = 4;
  const StoreEvent pieces = read_and_wait(bytes);
  ASSERT_EQ(pieces.publications.size(), 3U);
  EXPECT_EQ(pieces.page.first_byte, 3U);
  EXPECT_EQ(pieces.page.end_byte, 8U);
  EXPECT_EQ(payloads(bytes), "2a3c");
}

TEST_P(LogStoreSuite, PositionsThatTheLogDoesNotCoverAreLost) {
  for (int i = 0; i < 8; ++i)
    append_and_wait("short", "x");
  const Epoch epoch = watch_and_wait(1, "short").epoch;
  const auto lost = [&](const Epoch& of, std::uint64_t after) {
    bus::ReadRequest since = reading("short", Mode::forward, after);
    since.epoch = of;
    return read_and_wait(since).page.error.has_value();
  };
  for (std::uint64_t after = 0; after <= 9; ++after)
    EXPECT_EQ(lost(epoch, after), after < 3 || after > 8) << after;
  EXPECT_TRUE(lost(kElsewhere, 5));
  EXPECT_TRUE(lost(epoch, kOffsetMax.value));
  EXPECT_TRUE(lost(epoch, std::uint64_t{1} << 63));
}

TEST_P(LogStoreSuite, PublicationsAgeOutAndThePositionStays) {
  const Position first = *append_and_wait("short", "x").position;
  now += std::chrono::seconds(10);
  EXPECT_EQ(watch_and_wait(1, "short"), (Head{first.epoch, {1}, {1}}));
  EXPECT_EQ(payloads(reading("short")), "");
  EXPECT_EQ(append_and_wait("short", "y").position, (Position{first.epoch, {2}}));
}

TEST_P(LogStoreSuite, APositionIsForgottenOnlyWhenNobodyWatchedItForItsTime) {
  append_and_wait("short", "x");
  watch_and_wait(1, "short-watched");
  now += limits.position_ttl / 2;
  tick_around();
  ASSERT_TRUE(listed("short"));
  now += limits.position_ttl / 2;
  tick_around();
  EXPECT_TRUE(until([&] {
    store().tick(now);
    return !listed("short");
  }));
  EXPECT_TRUE(listed("short-watched"));
}

TEST_P(LogStoreSuite, WhatWouldNotFitAFullLogIsRefused) {
  for (const char* text : {"a", "b", "c"})
    append_and_wait("full", text);
  EXPECT_EQ(append_and_wait("full", "d").error->code, ErrorCode::log_full);
  now += std::chrono::hours(24);
  EXPECT_EQ(payloads(reading("full")), "abc");
}

TEST_P(LogStoreSuite, OfEachKeyTheLastIsKeptWhereTheRuleSaysSo) {
  for (int i = 0; i < 100; ++i) {
    append_and_wait(request("compact", std::to_string(i), i % 2 == 0 ? "even" : "odd"));
  }
  const StoreEvent page = read_and_wait(reading("compact"));
  ASSERT_EQ(page.publications.size(), 2U);
  EXPECT_EQ(page.publications[0].payload, "98");
  EXPECT_EQ(page.publications[1].payload, "99");
  EXPECT_EQ(page.head.floor, Offset{0});
}

TEST_P(LogStoreSuite, ALogIsRestoredAtExactPositions) {
  watch_and_wait(7, "kept");
  const auto place = [&](std::uint64_t offset, std::string_view payload) {
    bus::PublishRequest made = request("kept", payload);
    made.place = Position{kElsewhere, {offset}};
    made.place_floor = Offset{3};
    return append_and_wait(made);
  };
  EXPECT_EQ(place(5, "a").position, (Position{kElsewhere, {5}}));
  EXPECT_EQ(last(What::reset).head, (Head{kElsewhere, {4}, {3}}));
  EXPECT_EQ(place(9, "b").position, (Position{kElsewhere, {9}}));
  EXPECT_EQ(place(9, "c").error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(watch_and_wait(7, "kept"), (Head{kElsewhere, {9}, {3}}));
  EXPECT_EQ(payloads(reading("kept")), "ab");
  EXPECT_EQ(append_and_wait("kept", "d").position, (Position{kElsewhere, {10}}));
}

TEST_P(LogStoreSuite, APeerThatIsGoneHearsNothingMore) {
  const auto first = append(request("a", "x"), 5);
  store().drop_peer(5);
  const std::size_t heard = answered(first) ? 1 : 0;
  const auto second = append(request("a", "y"), 6);
  ASSERT_TRUE(until([&] { return answered(second); }));
  std::size_t outcomes = 0;
  for (const StoreEvent& event : events)
    outcomes += event.what == What::outcome && event.peer == 5 ? 1 : 0;
  EXPECT_EQ(outcomes, heard);
  EXPECT_EQ(payloads(reading("a")), "xy");
}

TEST_P(LogStoreSuite, WhenItStopsEverythingAskedHasBeenAnswered) {
  for (int i = 0; i < 50; ++i)
    append(request("a", "x"));
  store().stop();
  EXPECT_EQ(count(What::outcome), 50U);
  bool unknown = false;
  for (const StoreEvent& event : events) {
    if (event.what != What::outcome) continue;
    EXPECT_NE(event.outcome.status, Status::refused);
    unknown = unknown || event.outcome.status == Status::unknown;
    EXPECT_EQ(unknown, event.outcome.status == Status::unknown) << "in order";
  }
}

TEST_P(LogStoreSuite, ALogIsTheSameInTheNextStoreOrItsEpochIsAnother) {
  const auto written = append_and_wait(request("kept", "a", "k"));
  bus::PublishRequest sequenced = request("kept", "b");
  sequenced.publication.source = "producer";
  sequenced.publication.sequence = {3, 4};
  append_and_wait(sequenced);
  bus::PublishRequest keyed = request("kept", "c");
  keyed.idempotency_key = "once";
  append_and_wait(keyed);
  const auto before = *listed("kept");
  reopen();
  const Head after = watch_and_wait(1, "kept");
  if (!GetParam().survives) {
    EXPECT_NE(after.epoch, before.epoch);
    return;
  }
  EXPECT_EQ(after, before);
  EXPECT_EQ(payloads(reading("kept")), "abc");
  EXPECT_EQ(payloads(reading("kept", Mode::bytes, 1)), "bc");
  EXPECT_TRUE(append_and_wait(sequenced).duplicate);
  EXPECT_TRUE(append_and_wait(keyed).duplicate);
  bus::PublishRequest conditional = request("kept", "d", "k");
  conditional.expect = written.position;
  const auto outcome = append_and_wait(conditional);
  EXPECT_EQ(outcome.position, (Position{before.epoch, {4}}));
  EXPECT_EQ(outcome.end_byte, 4U);
}

TEST_P(LogStoreSuite, EveryLogIsListedAndCounted) {
  for (int i = 0; i < 30; ++i)
    append_and_wait("kept" + std::to_string(i), "x");
  std::size_t logs = 0;
  store().each([&](std::string_view, const Head& head) {
    ++logs;
    EXPECT_EQ(head.top, Offset{1});
  });
  EXPECT_EQ(logs, 30U);
  EXPECT_EQ(store().stats().logs, 30U);
}

}  // namespace
}  // namespace peal::broker::test
