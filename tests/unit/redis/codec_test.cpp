#include "redis/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/verdict.hpp"

namespace peal::redis {
namespace {

using testing::HasSubstr;
using Kind = Verdict::Kind;

constexpr std::size_t kMax = 1U << 20U;

std::string encoded(const std::vector<std::string>& args) {
  std::string out;
  encode(args, out);
  return out;
}

Reply decoded(const std::string& bytes) {
  ReplyReader reader(kMax);
  reader.feed(bytes);
  Reply reply;
  EXPECT_TRUE(reader.next(reply)) << reader.error();
  return reply;
}

Reply error(std::string text) {
  return {.type = Reply::Type::error, .text = std::move(text)};
}

TEST(RedisCodec, WritesCommandsWithAnyBytes) {
  EXPECT_EQ(encoded({"SET", "", std::string("a\0\r\n", 4)}),
            std::string("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\0\r\n\r\n", 29));
}

TEST(RedisCodec, ReadsEveryKindOfReply) {
  EXPECT_EQ(decoded("+OK\r\n").text, "OK");
  EXPECT_EQ(decoded(":-42\r\n").integer, -42);
  EXPECT_TRUE(decoded("$-1\r\n").is_nil());
  EXPECT_TRUE(decoded("*-1\r\n").is_nil());
  EXPECT_TRUE(decoded("*0\r\n").elements.empty());
  EXPECT_EQ(decoded("-ERR no\r\n").error_code(), "ERR");
  const Reply reply = decoded("*3\r\n*2\r\n:1\r\n$1\r\na\r\n$-1\r\n*1\r\n*1\r\n-E\r\n");
  ASSERT_EQ(reply.elements.size(), 3U);
  EXPECT_EQ(reply.elements[0].elements[1].text, "a");
  EXPECT_TRUE(reply.elements[1].is_nil());
  EXPECT_TRUE(reply.elements[2].elements[0].elements[0].is_error());
}

TEST(RedisCodec, ReadsRepliesThatComeByteByByte) {
  const std::string bytes = "*2\r\n$3\r\nabc\r\n:7\r\n+next\r\n";
  ReplyReader reader(kMax);
  std::vector<Reply> replies;
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    for (Reply reply; reader.next(reply); reply = {})
      replies.push_back(reply);
  }
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].elements[1].integer, 7);
  EXPECT_EQ(replies[1].text, "next");
}

TEST(RedisCodec, RefusesGarbageForGood) {
  for (const std::string bytes :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "$abc\r\n", ":1x\r\n", "*2\r\n?\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    ReplyReader reader(kMax);
    reader.feed(bytes);
    Reply reply;
    EXPECT_FALSE(reader.next(reply)) << bytes;
    EXPECT_NE(reader.error(), "") << bytes;
    reader.feed("+OK\r\n");
    EXPECT_FALSE(reader.next(reply));
  }
}

TEST(RedisCodec, BelievesNoLengthThatIsTooLarge) {
  ReplyReader reader(1000);
  reader.feed("$100000\r\n");
  Reply reply;
  EXPECT_FALSE(reader.next(reply));
  EXPECT_EQ(reader.error(), "");
  reader.feed(std::string(1000, 'x'));
  EXPECT_FALSE(reader.next(reply));
  EXPECT_THAT(reader.error(), HasSubstr("redis.reply_bytes_max"));

  ReplyReader counts(1000);
  counts.feed("*2000000000\r\n:1\r\n");  // no memory is taken for what doesn't come
  EXPECT_FALSE(counts.next(reply));
}

TEST(RedisVerdict, TellsWhatWasNotBegun) {
  EXPECT_EQ(verdict_of({}, "h").kind, Kind::replied);
  for (const char* text :
       {"LOADING Redis is loading the dataset in memory", "OOM command not allowed",
        "READONLY You can't write against a read only replica.", "NOSCRIPT none",
        "NOREPLICAS Not enough good replicas to write.", "NOPERM no"}) {
    EXPECT_EQ(verdict_of(error(text), "h").kind, Kind::refused) << text;
  }
  EXPECT_EQ(verdict_of(error("ERR wrong number of arguments"), "h").kind, Kind::failed);
  // An error inside a script: what came before it in the script is done.
  EXPECT_EQ(verdict_of(error("OOM command not allowed when used memory > 'maxmemory'. script: "
                             "f_append, on @user_function:3."),
                       "h")
                .kind,
            Kind::failed);
  EXPECT_EQ(verdict_of(error("TRYAGAIN Multiple keys request"), "h").kind, Kind::again);
  EXPECT_EQ(verdict_of(error("CLUSTERDOWN The cluster is down"), "h").kind, Kind::again);
}

TEST(RedisVerdict, ReadsRedirects) {
  Verdict verdict = verdict_of(error("MOVED 3999 127.0.0.1:6381"), "h");
  EXPECT_EQ(verdict.kind, Kind::moved);
  EXPECT_EQ(verdict.slot, 3999U);
  EXPECT_EQ(verdict.endpoint, "127.0.0.1:6381");
  EXPECT_EQ(verdict_of(error("MOVED 3999 :6381"), "h").endpoint, "h:6381");
  EXPECT_EQ(verdict_of(error("ASK 3999 ::1:6381"), "h").endpoint, "[::1]:6381");
  EXPECT_EQ(verdict_of(error("ASK 3999 ::1:6381"), "h").kind, Kind::ask);
  for (const char* broken :
       {"MOVED", "MOVED 1", "MOVED x 127.0.0.1:1", "MOVED 16384 a:1", "ASK 1 a"}) {
    EXPECT_EQ(verdict_of(error(broken), "h").kind, Kind::again) << broken;
  }
}

TEST(RedisVerdict, SaysWhatToGrant) {
  EXPECT_THAT(
      explain(error("NOPERM this user has no permissions to run the 'publish' command"), "peal"),
      HasSubstr("ACL SETUSER peal +publish"));
  EXPECT_THAT(
      explain(error("NOPERM this user has no permissions to access one of the channels"), ""),
      HasSubstr("ACL SETUSER default &"));
  EXPECT_THAT(explain(error("NOAUTH Authentication required."), ""), HasSubstr("redis.password"));
  EXPECT_THAT(explain(error("WRONGPASS invalid"), "peal"), HasSubstr("user \"peal\""));
}

}  // namespace
}  // namespace peal::redis
