#include "session/stream_cursor.hpp"

#include <gtest/gtest.h>

namespace peal::gateway {
namespace {

using Kind = StreamCursor::Place::Kind;

TEST(StreamCursor, OfOneChannelIsItsPosition) {
  StreamCursor cursor(1);
  EXPECT_EQ(cursor.to_string(), "*");
  cursor.move(0, {*Epoch::parse("abcdefgh"), {41}});
  EXPECT_EQ(cursor.to_string(), "abcdefgh-41");
  cursor.set_ephemeral(0);
  EXPECT_EQ(cursor.to_string(), "-");
}

TEST(StreamCursor, ComesBackAsItWent) {
  StreamCursor cursor(4);
  cursor.move(0, {*Epoch::parse("abcdefgh"), {0}});
  cursor.set_ephemeral(1);
  cursor.move(3, {*Epoch::parse("00000000"), kOffsetMax});
  const std::string token = cursor.to_string();
  EXPECT_EQ(token, "1.abcdefgh-0.-.*.00000000-9007199254740991");
  const auto back = StreamCursor::parse(token, 4);
  ASSERT_TRUE(back);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ((*back)[i], cursor[i]);
}

TEST(StreamCursor, RefusesWhatIsNoTokenOfThatManyChannels) {
  for (const char* token :
       {"", "1", "1.", "1.-", "1.-.-.-", "2.-.-", "-.-", "1.-.", "1..-", "1.-.x", "1.-.abcdefgh",
        "1.-.abcdefgh-", "1.-.abcdefgh-01", "1.-.abcdefgh--1", "1.-.abcdefgh-9007199254740992",
        "1.-.abcdefgh-9223372036854775808", "1.-.abcdefg\xff-1", "1.-.abcdefgh-1 "}) {
    const auto parsed = StreamCursor::parse(token, 2);
    ASSERT_TRUE(parsed.has_error()) << token;
    EXPECT_EQ(parsed.error().code, ErrorCode::request_invalid);
  }
  for (const char* token : {"", "1.-", "abcdefgh", "abcdefgh-1.abcdefgh-2", "**"})
    EXPECT_TRUE(StreamCursor::parse(token, 1).has_error()) << token;
}

}  // namespace
}  // namespace peal::gateway
