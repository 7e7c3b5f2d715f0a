#include "core/log.hpp"

#include "log_fixture.hpp"

namespace peal::broker {
namespace {

using test::kEpoch;

class LogTest : public test::LogFixture {
 protected:
  LogTest() : LogFixture(keeping(5)) {}
};

TEST_F(LogTest, OffsetsCountFromOneWithinTheEpoch) {
  EXPECT_EQ(log.head(now), (Head{kEpoch, {0}, {0}}));
  EXPECT_EQ(append("a").position, (Position{kEpoch, {1}}));
  EXPECT_EQ(append("b").position, (Position{kEpoch, {2}}));
  EXPECT_EQ(log.head(now), (Head{kEpoch, {2}, {0}}));
}

TEST_F(LogTest, KeepsEveryFieldOfAPublication) {
  const Publication publication{Kind::deletion, {0},    "payload", "key", "type",   "{}",
                                "source",       {1, 2}, "origin",  77,    "unknown"};
  bus::PublishRequest wanted;
  wanted.publication = view_of(publication);
  log.append(wanted, now);
  read(Mode::forward, 0);
  const PublicationView& found = page.publications[0];
  EXPECT_EQ(found.kind, Kind::deletion);
  EXPECT_EQ(found.offset, Offset{1});
  EXPECT_EQ(found.payload, "payload");
  EXPECT_EQ(found.key, "key");
  EXPECT_EQ(found.type, "type");
  EXPECT_EQ(found.tags, "{}");
  EXPECT_EQ(found.source, "source");
  EXPECT_EQ(found.sequence, (Sequence{1, 2}));
  EXPECT_EQ(found.origin, "origin");
  EXPECT_EQ(found.time_ms, 77);
  EXPECT_EQ(found.unknown_fields, "unknown");
}

TEST_F(LogTest, PagesSayWhichRangeTheyCover) {
  for (const char* text : {"a", "b", "c", "d"})
    append(text);
  EXPECT_EQ(read(Mode::forward, 0, 2), "ab 0..2");
  EXPECT_EQ(read(Mode::forward, 2, 2), "cd 2..4");
  EXPECT_EQ(read(Mode::forward, 4), " 4..4");
  EXPECT_EQ(read(Mode::reverse, 0, 3), "dcb 1..4");
  EXPECT_EQ(read(Mode::reverse, 2), "a 0..1");
  EXPECT_EQ(read(Mode::forward, 0, 100, 2), "ab 0..2");
  EXPECT_EQ(read(Mode::forward, 0, 100, 0), "a 0..1");
  EXPECT_EQ(read(Mode::forward, 1, 0), " 1..1");
}

TEST_F(LogTest, TheOldestGoWhenThereAreTooManyAndTheFloorRises) {
  for (const char* text : {"a", "b", "c", "d", "e", "f", "g"})
    append(text);
  EXPECT_EQ(log.head(now).floor, Offset{2});
  EXPECT_EQ(read(Mode::forward, 0), "cdefg 0..7");
  bus::ReadRequest since;
  since.epoch = kEpoch;
  since.after = {2};
  EXPECT_FALSE(log.read(since, publications, now).error);
  since.after = {1};
  EXPECT_EQ(log.read(since, publications, now).error->code, ErrorCode::position_lost);
  since.after = {8};
  EXPECT_EQ(log.read(since, publications, now).error->code, ErrorCode::position_lost);
}

TEST_F(LogTest, WhatIsReplacedByALaterOneOfItsKeyDoesNotRaiseTheFloor) {
  append("a", "x");
  append("b", "x");
  for (const char* text : {"c", "d", "e", "f"})
    append(text, text);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {6}, {0}}));
  append("g", "g");
  EXPECT_EQ(log.head(now).floor, Offset{2});
}

TEST_F(LogTest, StateIsTheLastPublicationOfEachKey) {
  append("a", "x");
  append("b", "y");
  append("c", "x");
  append("d");
  append("e");
  EXPECT_EQ(read(Mode::state, 0), "bce 0..5");
  EXPECT_EQ(read(Mode::state, 0, 1), "b 0..2");
  EXPECT_EQ(read(Mode::state, 2, 1), "c 2..3");
}

TEST_F(LogTest, AgedPublicationsGoByThemselvesAndThePositionStays) {
  append("a");
  now += std::chrono::seconds(6);
  append("b");
  now += std::chrono::seconds(4);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {2}, {1}}));
  now += std::chrono::seconds(60);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {2}, {2}}));
  EXPECT_EQ(append("c").position, (Position{kEpoch, {3}}));
}

TEST_F(LogTest, APublicationTooLargeToKeepStillHasItsPosition) {
  ChannelOptions tiny = keeping(5);
  tiny.history_bytes_max = 3;
  Log small(kEpoch, tiny, limits);
  EXPECT_EQ(small.append(request("large"), now).position, (Position{kEpoch, {1}}));
  EXPECT_EQ(small.head(now), (Head{kEpoch, {1}, {1}}));
  EXPECT_EQ(small.size(), 0U);
}

TEST_F(LogTest, AConditionIsJudgedAgainstTheLogOrTheKey) {
  append("a", "x");
  append("b", "y");
  auto wanted = request("c", "x");
  wanted.expect = Position{kEpoch, {2}};
  const auto outcome = log.append(wanted, now);
  EXPECT_EQ(outcome.status, Status::refused);
  EXPECT_EQ(outcome.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(outcome.position, (Position{kEpoch, {1}}));
  wanted.expect = outcome.position;
  EXPECT_EQ(log.append(wanted, now).position, (Position{kEpoch, {3}}));
  auto unkeyed = request("d");
  unkeyed.expect = Position{kEpoch, {3}};
  EXPECT_EQ(log.append(unkeyed, now).status, Status::ok);
  auto creates = request("e", "new");
  creates.expect = Position{kEpoch, {0}};
  EXPECT_EQ(log.append(creates, now).status, Status::ok);
  EXPECT_EQ(log.append(creates, now).status, Status::refused);
}

TEST_F(LogTest, AProducerIsHeardOnce) {
  auto wanted = request("a");
  wanted.publication.source = "monitor";
  wanted.publication.sequence = {1, 5};
  EXPECT_EQ(log.append(wanted, now).position, (Position{kEpoch, {1}}));
  const auto again = log.append(wanted, now);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.position, (Position{kEpoch, {1}}));
  EXPECT_EQ(again.last, (Sequence{1, 5}));
  wanted.publication.sequence = {0, 9};
  EXPECT_TRUE(log.append(wanted, now).duplicate);
  EXPECT_FALSE(log.append(wanted, now).position);
  wanted.publication.sequence = {2, 0};
  wanted.previous = Sequence{1, 4};
  const auto gap = log.append(wanted, now);
  EXPECT_EQ(gap.error->code, ErrorCode::sequence_gap);
  EXPECT_TRUE(gap.error->temporary());
  EXPECT_EQ(gap.last, (Sequence{1, 5}));
  wanted.previous = gap.last;
  EXPECT_EQ(log.append(wanted, now).position, (Position{kEpoch, {2}}));
}

TEST_F(LogTest, MarksSurviveTrimming) {
  auto wanted = request("a");
  wanted.publication.source = "monitor";
  wanted.publication.sequence = {1, 0};
  log.append(wanted, now);
  for (int i = 0; i < 10; ++i)
    append("filler");
  now += std::chrono::hours(23);
  EXPECT_TRUE(log.append(wanted, now).duplicate);
  now += std::chrono::hours(1);
  EXPECT_FALSE(log.append(wanted, now).duplicate);
}

TEST_F(LogTest, AnIdempotencyKeyStandsForOneBody) {
  auto wanted = request("a");
  wanted.idempotency_key = "order-1";
  EXPECT_EQ(log.append(wanted, now).position, (Position{kEpoch, {1}}));
  const auto again = log.append(wanted, now);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.position, (Position{kEpoch, {1}}));
  wanted.publication.payload = "b";
  EXPECT_EQ(log.append(wanted, now).error->code, ErrorCode::idempotency_conflict);
  now += std::chrono::minutes(5);
  EXPECT_EQ(log.append(wanted, now).position, (Position{kEpoch, {2}}));
}

TEST_F(LogTest, AnEmptiedLogGivesItsMemoryBack) {
  const auto before = log.bytes();
  for (int i = 0; i < 5; ++i)
    append(std::string(1000, 'x'), "key" + std::to_string(i));
  EXPECT_GT(log.bytes(), before + 5000);
  now += std::chrono::minutes(1);
  log.expire(now);
  EXPECT_EQ(log.bytes(), before);
}

}  // namespace
}  // namespace peal::broker
