// The log as one run of bytes.
#include "log_fixture.hpp"

namespace peal::broker {
namespace {

using test::kEpoch;

class LogBytesTest : public test::LogFixture {
 protected:
  LogBytesTest() : LogFixture(keeping(5)) {}
  explicit LogBytesTest(const ChannelOptions& chosen) : LogFixture(chosen) {}
  /// The pieces, and where they begin: "2:cde|f"; an error's name.
  std::string bytes(std::uint64_t from, std::size_t most, std::size_t pieces = 100) {
    bus::ReadRequest wanted = reading(Mode::bytes, from);
    wanted.bytes = most;
    wanted.limit = pieces;
    page = log.read(wanted, publications, now);
    if (page.error) return std::string(info(page.error->code).name);
    std::string text = std::to_string(page.first_byte) + ':';
    for (const auto& publication : page.publications) {
      if (text.back() != ':') text += '|';
      text += publication.payload;
    }
    return text;
  }
};

TEST_F(LogBytesTest, APieceMayBeginAndEndWithinAPayload) {
  for (const char* text : {"abc", "", "defg", "h"})
    append(text);
  EXPECT_EQ(bytes(0, 100), "0:abc|defg|h");
  EXPECT_EQ(page.end_byte, 8U);
  EXPECT_EQ(page.head, (Head{kEpoch, {4}, {0}}));
  EXPECT_EQ(bytes(2, 3), "2:c|de");
  EXPECT_EQ(page.after, Offset{0});
  EXPECT_EQ(page.to, Offset{3});
  EXPECT_EQ(page.publications[1].offset, Offset{3});
  EXPECT_EQ(bytes(4, 1), "4:e");
  EXPECT_EQ(bytes(3, 100, 1), "3:defg");
  EXPECT_EQ(bytes(8, 100), "8:");
  EXPECT_EQ(bytes(3, 0), "3:");
}

TEST_F(LogBytesTest, ReadInAnyStepsTheBytesAreTheSame) {
  for (const char* text : {"ab", "cdefg", "h", "ijk"})
    append(text);
  for (std::size_t step = 1; step <= 12; ++step) {
    std::string all;
    for (std::uint64_t at = 0; at < 11;) {
      bytes(at, step);
      for (const auto& publication : page.publications)
        all += publication.payload;
      ASSERT_GT(all.size(), at);
      at = all.size();
    }
    EXPECT_EQ(all, "abcdefghijk");
  }
}

TEST_F(LogBytesTest, BeyondTheEndAndInAnotherEpochThereIsNothing) {
  append("abc");
  EXPECT_EQ(bytes(4, 10), "position_lost");
  EXPECT_EQ(page.end_byte, 3U);
  EXPECT_EQ(bytes(std::uint64_t{1} << 63, 10), "position_lost");
  bus::ReadRequest wanted = reading(Mode::bytes, 0);
  wanted.epoch = test::kNext;
  EXPECT_EQ(log.read(wanted, publications, now).error->code, ErrorCode::position_lost);
}

TEST_F(LogBytesTest, WhatWasTrimmedIsLostAndTheRestKeepsItsPlace) {
  for (const char* text : {"ab", "cd", "e", "f", "g", "h"})
    append(text);
  EXPECT_EQ(bytes(1, 10), "position_lost");
  EXPECT_EQ(bytes(2, 10), "2:cd|e|f|g|h");
}

TEST_F(LogBytesTest, ADeletionHasNoBytes) {
  append("ab");
  log.append(deletion(), now);
  append("c");
  EXPECT_EQ(bytes(0, 10), "0:ab|c");
}

class CompactBytesTest : public LogBytesTest {
 protected:
  CompactBytesTest() : LogBytesTest(compacting()) {}
  static ChannelOptions compacting() {
    ChannelOptions options = keeping(100);
    options.compact = true;
    return options;
  }
};

TEST_F(CompactBytesTest, APageEndsBeforeAHole) {
  append("ab", "x");
  append("cd", "y");
  append("ef", "z");
  append("gh", "y");
  EXPECT_EQ(bytes(0, 10), "0:ab");
  EXPECT_EQ(bytes(2, 10), "position_lost");
  EXPECT_EQ(bytes(4, 10), "4:ef|gh");
}

}  // namespace
}  // namespace peal::broker
