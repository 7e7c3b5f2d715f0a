// What a publish may be conditional on, and replacing a log.
#include "log_fixture.hpp"

namespace peal::broker {
namespace {

using bus::ExpectValue;
using test::kEpoch;
using test::kNext;

class LogConditionsTest : public test::LogFixture {
 protected:
  LogConditionsTest() : LogFixture(keeping(5)) {}
  static bus::PublishRequest expecting(ExpectValue value, std::string_view key = {}) {
    bus::PublishRequest made = request("v", key);
    made.expect_value = value;
    return made;
  }
  static bus::PublishRequest ending_at(std::uint64_t end, std::string_view payload) {
    bus::PublishRequest made = request(payload);
    made.expect_end = end;
    return made;
  }
  static bus::PublishRequest replacing(std::string_view payload) {
    bus::PublishRequest made = request(payload);
    made.replace = true;
    return made;
  }
};

TEST_F(LogConditionsTest, AValueIsCreatedOnce) {
  EXPECT_EQ(refusal(expecting(ExpectValue::present)), ErrorCode::expectation_failed);
  EXPECT_EQ(log.append(expecting(ExpectValue::absent), now).position, (Position{kEpoch, {1}}));
  const bus::Published second = log.append(expecting(ExpectValue::absent), now);
  EXPECT_EQ(second.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(second.position, (Position{kEpoch, {1}}));
  EXPECT_EQ(log.append(expecting(ExpectValue::present), now).status, Status::ok);
}

TEST_F(LogConditionsTest, WhatWasDeletedOrAgedOutIsAbsent) {
  append("a");
  log.append(deletion(), now);
  EXPECT_EQ(refusal(expecting(ExpectValue::present)), ErrorCode::expectation_failed);
  EXPECT_EQ(log.append(expecting(ExpectValue::absent), now).status, Status::ok);
  now += std::chrono::seconds(10);
  EXPECT_EQ(log.append(expecting(ExpectValue::absent), now).position, (Position{kEpoch, {4}}));
}

TEST_F(LogConditionsTest, EachKeyHasItsOwnValue) {
  append("a", "x");
  EXPECT_EQ(refusal(expecting(ExpectValue::absent, "x")), ErrorCode::expectation_failed);
  EXPECT_EQ(refusal(expecting(ExpectValue::present, "y")), ErrorCode::expectation_failed);
  EXPECT_EQ(log.append(expecting(ExpectValue::absent, "y"), now).status, Status::ok);
  log.append(deletion("x"), now);
  EXPECT_EQ(log.append(expecting(ExpectValue::absent, "x"), now).status, Status::ok);
}

TEST_F(LogConditionsTest, BytesAreAppendedAtTheExactEndOnly) {
  EXPECT_EQ(log.append(ending_at(0, "abc"), now).end_byte, 3U);
  const bus::Published racing = log.append(ending_at(0, "xyz"), now);
  EXPECT_EQ(racing.error->code, ErrorCode::expectation_failed);
  EXPECT_EQ(racing.end_byte, 3U);
  EXPECT_EQ(racing.position, (Position{kEpoch, {1}}));
  EXPECT_EQ(log.append(ending_at(3, "de"), now).end_byte, 5U);
  EXPECT_EQ(refusal(ending_at(6, "f")), ErrorCode::expectation_failed);
  EXPECT_EQ(refusal(ending_at(std::uint64_t{1} << 63, "f")), ErrorCode::expectation_failed);
}

TEST_F(LogConditionsTest, ConditionsThatContradictEachOtherAreNeverMet) {
  append("a");
  bus::PublishRequest both = expecting(ExpectValue::absent);
  both.expect = Position{kEpoch, {1}};
  EXPECT_EQ(refusal(both), ErrorCode::expectation_failed);
}

TEST_F(LogConditionsTest, PositionsOutOfTheWorldAreNotTheExpectedOne) {
  append("a");
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{2}, kOffsetMax.value + 1, std::uint64_t{1} << 63}) {
    bus::PublishRequest made = request("b");
    made.expect = Position{kEpoch, {offset}};
    EXPECT_EQ(refusal(made), ErrorCode::expectation_failed) << offset;
    EXPECT_EQ(covered(offset), offset == 0) << offset;
  }
}

TEST_F(LogConditionsTest, ReplacingBeginsAnEpochWithOnePublication) {
  append("abc");
  append("de", "key");
  bus::PublishRequest replacement = replacing("new");
  replacement.expect = Position{kEpoch, {2}};
  replacement.expect_end = 5;
  const bus::Published outcome = log.append(replacement, now, kNext);
  EXPECT_EQ(outcome.position, (Position{kNext, {1}}));
  EXPECT_EQ(outcome.end_byte, 3U);
  EXPECT_EQ(log.before_last(), (Head{kNext, {0}, {0}}));
  EXPECT_EQ(log.head(now), (Head{kNext, {1}, {0}}));
  EXPECT_EQ(read(Mode::forward, 0), "new 0..1");
  EXPECT_EQ(read(Mode::state, 0), "new 0..1");
}

TEST_F(LogConditionsTest, AReplacementIsJudgedByTheOldEpoch) {
  append("abc");
  bus::PublishRequest replacement = replacing("new");
  replacement.expect = Position{kEpoch, {2}};
  EXPECT_EQ(refusal(replacement), ErrorCode::expectation_failed);
  replacement.expect.reset();
  replacement.expect_value = ExpectValue::absent;
  EXPECT_EQ(refusal(replacement), ErrorCode::expectation_failed);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {1}, {0}}));
}

TEST_F(LogConditionsTest, AReplacementIsNotDoneTwice) {
  bus::PublishRequest replacement = replacing("new");
  replacement.idempotency_key = "once";
  replacement.publication.source = "writer";
  replacement.publication.sequence = {1, 1};
  log.append(replacement, now, kNext);
  append("more");
  const bus::Published again = log.append(replacement, now, Epoch::parse("Epoch003"));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.position, (Position{kNext, {1}}));
  EXPECT_EQ(again.end_byte, 3U);
  EXPECT_EQ(log.head(now).top, Offset{2});
}

class FullLogTest : public test::LogFixture {
 protected:
  FullLogTest() : LogFixture(small()) {}
  static ChannelOptions small() {
    ChannelOptions options = keeping(3);
    options.history_bytes_max = 10;
    options.refuse_when_full = true;
    return options;
  }
};

TEST_F(FullLogTest, WhatWouldNotFitIsRefusedAndNothingGoes) {
  append("abcdef");
  EXPECT_EQ(refusal(request("ghijk")), ErrorCode::log_full);
  append("gh");
  append("i");
  EXPECT_EQ(refusal(request("j")), ErrorCode::log_full);
  now += std::chrono::hours(1000);
  EXPECT_EQ(read(Mode::forward, 0), "abcdefghi 0..3");
}

TEST_F(FullLogTest, IsReplacedByWhatFits) {
  append("abcdefghij");
  bus::PublishRequest replacement = request("0123456789x");
  replacement.replace = true;
  EXPECT_EQ(refusal(replacement), ErrorCode::log_full);
  replacement.publication.payload = "0123456789";
  EXPECT_EQ(log.append(replacement, now, kNext).position, (Position{kNext, {1}}));
}

TEST_F(FullLogTest, ADeletionOfWhatIsThereAlwaysFits) {
  for (const char* text : {"a", "b", "c"})
    append(text);
  EXPECT_EQ(log.append(deletion(), now).status, Status::ok);
  EXPECT_EQ(refusal(deletion()), ErrorCode::log_full);
}

}  // namespace
}  // namespace peal::broker
