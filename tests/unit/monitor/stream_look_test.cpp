#include "redis/stream_look.hpp"

#include <gtest/gtest.h>

namespace peal::monitor {
namespace {

using redis::Reply;

Reply text(std::string value) {
  Reply reply;
  reply.type = Reply::Type::text;
  reply.text = std::move(value);
  return reply;
}

Reply number(std::int64_t value) {
  Reply reply;
  reply.type = Reply::Type::integer;
  reply.integer = value;
  return reply;
}

StreamLook look(std::int64_t added, std::int64_t length, const char* next = "") {
  Reply reply;
  reply.type = Reply::Type::array;
  reply.elements = {text("9-9"), number(added), number(length), text(next), number(1000)};
  return *StreamLook::parse(reply);
}

TEST(StreamLook, CountsWhatWaits) {
  EXPECT_EQ(look(10, 10, "8-0").unread(7), 3U);
  EXPECT_EQ(look(10, 4).removed(), 6U);
  EXPECT_EQ(look(10, 10, "8-0").next->major, 8U);
  EXPECT_EQ(look(10, 10, "8-0").unread_bytes(7), 300U);
  EXPECT_EQ(look(10, 2, "8-0").unread_bytes(1), 1000U);
  EXPECT_EQ(look(10, 0).unread_bytes(1), 0U);
  EXPECT_EQ(look(7, 7).unread(7), 0U);
  EXPECT_EQ(look(5, 5).unread(7), 0U);
  EXPECT_FALSE(StreamLook::parse(Reply{}));
}

TEST(StreamLook, OfARedisThatDoesNotCountKnowsWhetherSomethingWaits) {
  EXPECT_EQ(look(0, 500, "8-0").unread(0), 1U);
  EXPECT_EQ(look(0, 500).unread(0), 0U);
  EXPECT_EQ(look(0, 500).removed(), 0U);
}

TEST(StreamCeiling, IsThereOnceAStreamIsTrimmedAsItGrows) {
  StreamCeiling ceiling;
  ceiling.looked(look(1000, 100));  // it may have been trimmed by hand, long ago
  EXPECT_FALSE(ceiling.entries());
  ceiling.looked(look(1010, 110));
  EXPECT_FALSE(ceiling.entries());
  ceiling.looked(look(1010, 50));
  EXPECT_FALSE(ceiling.entries());
  ceiling.looked(look(1020, 55));
  EXPECT_EQ(ceiling.entries(), 55U);
  ceiling.looked(look(1025, 60));  // more than was thought
  EXPECT_EQ(ceiling.entries(), 60U);
  ceiling.looked(look(1025, 10));
  EXPECT_EQ(ceiling.entries(), 55U);
  ceiling.looked(look(3, 3));  // made anew
  EXPECT_FALSE(ceiling.entries());
}

TEST(StreamCeiling, IsUnknownOfARedisThatDoesNotCount) {
  StreamCeiling ceiling;
  ceiling.looked(look(0, 100));
  ceiling.looked(look(0, 90));
  EXPECT_FALSE(ceiling.entries());
}

}  // namespace
}  // namespace peal::monitor
