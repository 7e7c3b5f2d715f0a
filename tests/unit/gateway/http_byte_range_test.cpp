#include "http/byte_range.hpp"

#include <gtest/gtest.h>

namespace peal::gateway::http {
namespace {

using Kind = RangeAnswer::Kind;

void expect_part(std::string_view header, std::uint64_t size, ByteRange range) {
  const RangeAnswer answer = resolve_range(header, size);
  EXPECT_EQ(answer.kind, Kind::part) << header;
  EXPECT_EQ(answer.range, range) << header;
}

TEST(Range, IsClosedOpenOrASuffix) {
  expect_part("bytes=0-4", 10, {0, 5});
  expect_part("bytes=5-", 10, {5, 10});
  expect_part("bytes=-3", 10, {7, 10});
  expect_part("bytes=-30", 10, {0, 10});
  expect_part("bytes=8-100", 10, {8, 10});
  expect_part("Bytes = 9-9 ,", 10, {9, 10});
  expect_part("bytes=0-18446744073709551615", 10, {0, 10});
  expect_part("bytes=0-99999999999999999999999", 10, {0, 10});
}

TEST(Range, ThatLiesBehindTheEndCannotBeServed) {
  for (const char* header : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=9223372036854775808-",
                             "bytes=99999999999999999999999-"})
    EXPECT_EQ(resolve_range(header, 10).kind, Kind::unsatisfiable) << header;
}

TEST(Range, ThatMakesNoSenseOrIsSeveralIsTheWhole) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=4-3", "bytes=a-b", "bytes=1", "bytes=0-1,3-4",
        "bytes=+1-2", "bytes=0x1-2", "items=0-1", "bytes=1-2-3", "bytes=--1", "0-4"}) {
    const RangeAnswer answer = resolve_range(header, 10);
    EXPECT_EQ(answer.kind, Kind::whole) << header;
    EXPECT_EQ(answer.range, (ByteRange{0, 10})) << header;
  }
}

TEST(ContentRange, OfAnAppendIsReadExactly) {
  EXPECT_EQ(parse_append_range("bytes 0-4/*"), (ByteRange{0, 5}));
  EXPECT_EQ(parse_append_range(" Bytes 10-10/* "), (ByteRange{10, 11}));
  for (const char* header :
       {"", "bytes", "bytes 0-4", "bytes 0-4/5", "bytes */*", "bytes 4-3/*", "bytes=0-4/*",
        "bytes -4/*", "bytes 0-/*", "bytes a-b/*", "bytes 0-18446744073709551615/*", "bytes 0/4-*",
        "bytes 0-4/* x", "octets 0-4/*"})
    EXPECT_FALSE(parse_append_range(header)) << header;
}

TEST(ContentRange, IsWrittenAsTheStandardSays) {
  EXPECT_EQ(content_range({0, 5}, 10), "bytes 0-4/10");
  EXPECT_EQ(content_range(10), "bytes */10");
}

}  // namespace
}  // namespace peal::gateway::http
