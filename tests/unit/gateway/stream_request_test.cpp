#include "http/stream_request.hpp"

#include <gtest/gtest.h>

namespace peal::gateway::http {
namespace {

class StreamRequests : public testing::Test {
 protected:
  Result<StreamRequest> get(std::string_view query, std::string_view last_event_id = "") {
    Request request;
    request.method = "GET";
    request.query = query;
    if (!last_event_id.empty()) request.headers = {{"Last-Event-ID", last_event_id}};
    return StreamRequestReader(limits).read(request);
  }
  Result<StreamRequest> post(std::string_view body, std::string_view query = "") {
    Request request;
    request.method = "POST";
    request.query = query;
    request.body = body;
    return StreamRequestReader(limits).read(request);
  }
  static std::string many(std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i)
      list += (i > 0 ? R"(,{"channel":"c)" : R"({"channel":"c)") + std::to_string(i) + R"("})";
    return R"({"channels":[)" + list + "]}";
  }
  static ErrorCode code(const Result<StreamRequest>& result) {
    return result ? ErrorCode::internal_error : result.error().code;
  }
  Limits limits;
};

TEST_F(StreamRequests, NameChannelsInTheQuery) {
  const auto asked = get("channel=a%2Fb&x=1&channel=c+d&channel=%2B");
  ASSERT_TRUE(asked);
  ASSERT_EQ(asked->order.channels.size(), 3U);
  EXPECT_EQ(asked->order.channels[0].name, "a/b");
  EXPECT_EQ(asked->order.channels[1].name, "c d");
  EXPECT_EQ(asked->order.channels[2].name, "+");
  EXPECT_FALSE(asked->wait);
  EXPECT_TRUE(asked->order.ids);
}

TEST_F(StreamRequests, SayOfAChannelWhatSubscribeMay) {
  const auto asked = post(R"({"ids":false,"channels":[
      {"channel":"a","since":{"epoch":"abcdefgh","offset":7}}, {"channel":"b","since":"state"},
      {"channel":"c","presence":true,"unknown":1}]})");
  ASSERT_TRUE(asked);
  const auto& channels = asked->order.channels;
  ASSERT_EQ(channels.size(), 3U);
  EXPECT_EQ(channels[0].since, (Position{*Epoch::parse("abcdefgh"), {7}}));
  EXPECT_EQ(channels[1].since_word, Command::SinceWord::state);
  EXPECT_TRUE(channels[2].presence);
  EXPECT_FALSE(asked->order.ids);
}

TEST_F(StreamRequests, GoOnFromAToken) {
  const auto asked = get("channel=a&channel=b&channel=c", "1.abcdefgh-7.-.*");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->order.channels[0].since, (Position{*Epoch::parse("abcdefgh"), {7}}));
  EXPECT_TRUE(asked->order.channels[1].ephemeral);
  EXPECT_FALSE(asked->order.channels[2].since);
  EXPECT_TRUE(get("channel=a&last_event_id=abcdefgh-7")->cursor);
  EXPECT_TRUE(post(R"({"channels":[{"channel":"a"}],"cursor":"abcdefgh-7"})")->cursor);
  EXPECT_EQ(code(get("channel=a&channel=b", "abcdefgh-7")), ErrorCode::request_invalid);
  EXPECT_EQ(code(get("channel=a", "garbage")), ErrorCode::request_invalid);
}

TEST_F(StreamRequests, WaitAtMostSoLong) {
  limits.wait_max = std::chrono::seconds(60);
  EXPECT_EQ(*get("channel=a&wait=30")->wait, std::chrono::seconds(30));
  EXPECT_EQ(*get("channel=a&wait=0")->wait, std::chrono::seconds(0));
  EXPECT_EQ(*get("channel=a&wait=61")->wait, std::chrono::seconds(60));
  EXPECT_EQ(*post(many(1), "wait=99999999999999999999")->wait, std::chrono::seconds(60));
  for (const char* wrong : {"wait", "wait=", "wait=-1", "wait=1.5", "wait=1s", "wait=%31"})
    EXPECT_EQ(code(get("channel=a&" + std::string(wrong))), ErrorCode::request_invalid) << wrong;
}

TEST_F(StreamRequests, AreRefusedAsAWhole) {
  const std::string present = R"({"channels":[{"channel":"a","presence":true}]})";
  EXPECT_TRUE(post(present));
  EXPECT_EQ(code(post(present, "wait=1")), ErrorCode::request_invalid);
  for (
      const char* body :
      {"", "[]", "7", "{}", R"({"channels":[]})", R"({"channels":{}})", R"({"channels":["a"]})",
       R"({"channels":[{}]})", R"({"channels":[{"channel":7}]})",
       R"({"channels":[{"channel":""}]})", R"({"channels":[{"channel":"a"},{"channel":"a"}]})",
       R"({"channels":[{"channel":"a","since":7}]})",
       R"({"channels":[{"channel":"a","since":{"epoch":"abcdefgh","offset":9223372036854775808}}]})",
       R"({"channels":[{"channel":"a","since":{"epoch":"abcdefgh","offset":-1}}]})",
       R"({"channels":[{"channel":"a"}],"cursor":7})", R"({"channels":[{"channel":"a"}],"ids":7})",
       R"({"channels":[{"channel":"a"}])"})
    EXPECT_TRUE(post(body).has_error()) << body;
  for (const char* query : {"", "channel=", "channel=%", "channel=a&channel=a", "channel=%00"})
    EXPECT_TRUE(get(query).has_error()) << query;
}

TEST_F(StreamRequests, NameNoMoreChannelsThanLimitsSay) {
  EXPECT_EQ(code(post(many(1001))), ErrorCode::subscriptions_max);
  EXPECT_FALSE(post(many(1000))->order.ids) << "ids would be larger than what they stand with";
  EXPECT_TRUE(post(many(100))->order.ids);
  std::string query = "channel=x";
  for (int i = 0; i < 100; ++i)
    query += "&channel=" + std::to_string(i);
  EXPECT_EQ(code(get(query)), ErrorCode::subscriptions_max) << "EventSource can't do without ids";
  EXPECT_TRUE(get(query + "&wait=1"));
}

}  // namespace
}  // namespace peal::gateway::http
