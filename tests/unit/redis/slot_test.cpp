#include <gtest/gtest.h>

#include "peal/redis/client.hpp"

namespace peal::redis {
namespace {

TEST(RedisSlot, IsWhatRedisSays) {  // CLUSTER KEYSLOT of Redis 7.0
  EXPECT_EQ(slot_of("123456789"), 0x31C3U);
  EXPECT_EQ(slot_of("foo"), 12182U);
  EXPECT_EQ(slot_of("peal:{p0}:log:a"), slot_of("p0"));
  EXPECT_EQ(slot_of(""), 0U);
}

TEST(RedisSlot, CountsOnlyTheFirstTagThatIsNotEmpty) {
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
  EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
  EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
  EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
  EXPECT_NE(slot_of("foo{bar"), slot_of("bar"));
}

TEST(RedisReply, NamesAnErrorByItsFirstWord) {
  Reply reply{.type = Reply::Type::error, .text = "MOVED 3999 127.0.0.1:6381"};
  EXPECT_EQ(reply.error_code(), "MOVED");
  reply.text = "LOADING";
  EXPECT_EQ(reply.error_code(), "LOADING");
  reply.type = Reply::Type::text;
  EXPECT_EQ(reply.error_code(), "");
}

}  // namespace
}  // namespace peal::redis
