#include "session/json_protocol.hpp"

#include <gtest/gtest.h>

#include "allocations.hpp"

namespace peal::gateway {
namespace {

class JsonProtocolTest : public ::testing::Test {
 protected:
  /// The error's code name, or "" when it was a command.
  std::string decode(std::string_view message) {
    error = protocol.decode(message, command);
    return error ? std::string(info(error->error.code).name) : "";
  }
  std::string publish(std::string_view payload) {
    sent = R"({"id":1,"action":"publish","payload":)" + std::string(payload) + "}";
    return decode(sent);  // the command's views point into it
  }
  std::string reply(const ReplyBody& body, std::uint64_t id = 7) {
    std::string out;
    protocol.encode_reply(out, id, body);
    return out;
  }
  std::string push(const Push& body) {
    std::string out;
    protocol.encode_push(out, body);
    return out;
  }

  Limits limits;
  std::string sent;
  JsonProtocol protocol{limits};
  Command command;
  std::optional<CommandError> error;
};

TEST_F(JsonProtocolTest, ReadsEveryAction) {
  ASSERT_EQ(decode(R"({"id":7,"action":"subscribe","payload":{"channel":"room:1"}})"), "");
  EXPECT_EQ(command.id, 7U);
  EXPECT_EQ(command.action, Action::subscribe);
  EXPECT_EQ(command.channel, "room:1");

  ASSERT_EQ(decode(R"( { "action" : "ping" } )"), "");
  EXPECT_EQ(command.action, Action::ping);
  EXPECT_EQ(command.id, std::nullopt);

  ASSERT_EQ(
      decode(
          R"({"action":"connect","payload":{"token":"t","heartbeat":true,"client":{"name":"x"}}})"),
      "");
  EXPECT_EQ(command.token, "t");
  EXPECT_TRUE(command.heartbeat);
  EXPECT_EQ(command.client, R"({"name":"x"})");

  ASSERT_EQ(decode(R"({"action":"unsubscribe","payload":{"channel":"a"}})"), "");
  EXPECT_EQ(command.action, Action::unsubscribe);
  ASSERT_EQ(
      decode(
          R"({"action":"history","payload":{"channel":"a","limit":5,"reverse":true,"since":"start"}})"),
      "");
  EXPECT_EQ(command.limit, 5U);
  EXPECT_TRUE(command.reverse);
  EXPECT_EQ(command.since_word, Command::SinceWord::start);
  ASSERT_EQ(decode(R"({"action":"presence","payload":{"channel":"a"}})"), "");
  ASSERT_EQ(decode(R"({"action":"refresh","payload":{"token":"x"}})"), "");
}

TEST_F(JsonProtocolTest, ReadsASubscribeWithItsPosition) {
  ASSERT_EQ(
      decode(
          R"({"action":"subscribe","payload":{"channel":"a","since":{"offset":42,"epoch":"aB3dE5gH"},)"
          R"("presence":true,"filter":{"a":1}}})"),
      "");
  ASSERT_TRUE(command.since);
  EXPECT_EQ(command.since->to_string(), "aB3dE5gH-42");
  EXPECT_TRUE(command.presence);
  EXPECT_EQ(command.filter, R"({"a":1})");
  ASSERT_EQ(decode(R"({"action":"subscribe","payload":{"channel":"a","since":"state"}})"), "");
  EXPECT_EQ(command.since_word, Command::SinceWord::state);
}

TEST_F(JsonProtocolTest, PassesTheBytesOfAMessageThrough) {
  for (const std::string_view message :
       {"9223372036854775808", "1e400", "-0.0", R"({"a":1,"a":2})", "{ \"a\" :\t[ 1 ,\n2 ] }",
        "null", R"("\u00fc\/")", "\"\xf0\x9f\x94\x94\"", "[]", "false"}) {
    ASSERT_EQ(publish(R"({"message": )" + std::string(message) + R"( ,"channel":"a"})"), "")
        << message;
    EXPECT_EQ(command.publish.publication.payload, message);
    EXPECT_TRUE(command.publish.publication.type.empty());
  }
}

TEST_F(JsonProtocolTest, ReadsAllThatAPublishMayCarry) {
  ASSERT_EQ(
      publish(
          R"({"channel":"a","message":1,"key":"k\n","delete":true,"expect":{"epoch":"00000000","offset":3},)"
          R"("source":"pg","sequence":"7-18446744073709551615","previous":"7-1","colour":"red"})"),
      "");
  const auto& p = command.publish.publication;
  EXPECT_EQ(p.key, "k\n");
  EXPECT_EQ(p.kind, Kind::deletion);
  EXPECT_EQ(command.publish.expect->offset.value, 3U);
  EXPECT_EQ(p.source, "pg");
  EXPECT_EQ(p.sequence.minor, 18446744073709551615U);
  EXPECT_EQ(command.publish.previous->to_string(), "7-1");
  ASSERT_EQ(publish(R"({"channels":["a","b\u0062"],"message":1})"), "");
  EXPECT_EQ(command.channels, (std::vector<std::string_view>{"a", "bb"}));
  ASSERT_EQ(publish(R"({"channel":"a","message":1})"), "");
  EXPECT_TRUE(command.channels.empty());
  EXPECT_TRUE(command.publish.publication.key.empty());
  ASSERT_EQ(publish(R"({"channel":"a","delete":true})"), "");
}

TEST_F(JsonProtocolTest, UnderstandsEscapedFieldNames) {
  ASSERT_EQ(
      decode(
          R"({"\u0069d":3,"acti\u006fn":"publish","payload":{"\u0063hannel":"a","mess\u0061ge":[1],)"
          R"("e\u0078pect":{"\u0065poch":"00000000","offset":1}}})"),
      "");
  EXPECT_EQ(command.id, 3U);
  EXPECT_EQ(command.channel, "a");
  EXPECT_EQ(command.publish.publication.payload, "[1]");
  EXPECT_TRUE(command.publish.expect);
}

struct Bad {
  const char* message;
  const char* code;
  const char* says;
  std::optional<std::uint64_t> id = std::nullopt;
};

TEST_F(JsonProtocolTest, NamesTheFieldOfAWrongCommand) {
  const Bad table[] = {
      {"", "command_invalid", "JSON"},
      {"[]", "command_invalid", "object"},
      {"\"x\"", "command_invalid", "object"},
      {"{}", "command_invalid", "action"},
      {R"({"id":1})", "command_invalid", "action", 1},
      {R"({"id":0,"action":"ping"})", "command_invalid", "id"},
      {R"({"id":-1,"action":"ping"})", "command_invalid", "id"},
      {R"({"id":"1","action":"ping"})", "command_invalid", "id"},
      {R"({"id":1.5,"action":"ping"})", "command_invalid", "id"},
      {R"({"id":1,"action":5})", "command_invalid", "action", 1},
      {R"({"id":1,"action":"dance"})", "action_unknown", "dance", 1},
      {R"({"id":1,"action":"subscribe"})", "command_invalid", "channel", 1},
      {R"({"id":1,"action":"subscribe","payload":[]})", "command_invalid", "payload", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":5}})", "command_invalid", "channel", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":""}})", "channel_name_invalid",
       "1 to 255", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a\u0007"}})", "channel_name_invalid",
       "control", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a","since":5}})", "command_invalid",
       "since", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a","since":"end"}})",
       "command_invalid", "since", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a","since":{"epoch":"short","offset":1}}})",
       "command_invalid", "since", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a","since":{"epoch":"00000000","offset":9007199254740992}}})",
       "command_invalid", "since", 1},
      {R"({"id":1,"action":"subscribe","payload":{"channel":"a","presence":1}})", "command_invalid",
       "presence", 1},
      {R"({"id":1,"action":"history","payload":{"channel":"a","limit":0}})", "command_invalid",
       "limit", 1},
      {R"({"id":1,"action":"history","payload":{"channel":"a","since":"state"}})",
       "command_invalid", "since", 1},
      {R"({"id":1,"action":"connect","payload":{"token":1}})", "command_invalid", "token", 1},
      {R"({"id":1,"action":"connect","payload":{"heartbeat":"yes"}})", "command_invalid",
       "heartbeat", 1},
      {R"({"id":1,"action":"connect","payload":{"client":"me"}})", "command_invalid", "client", 1},
      {R"({"id":1,"action":"refresh"})", "command_invalid", "token", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a"}})", "command_invalid", "message", 1},
      {R"({"id":1,"action":"publish","payload":{"message":1}})", "command_invalid", "channel", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","channels":["b"],"message":1}})",
       "command_invalid", "not both", 1},
      {R"({"id":1,"action":"publish","payload":{"channels":[],"message":1}})", "command_invalid",
       "channels", 1},
      {R"({"id":1,"action":"publish","payload":{"channels":["b",7],"message":1}})",
       "command_invalid", "channels", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"delete":0}})",
       "command_invalid", "delete", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"key":0}})",
       "command_invalid", "key", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"expect":"x"}})",
       "command_invalid", "expect", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"source":"s"}})",
       "command_invalid", "sequence", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"sequence":"1-1"}})",
       "command_invalid", "source", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"source":"s","sequence":"1"}})",
       "command_invalid", "sequence", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"source":"s","sequence":"1-1","previous":3}})",
       "command_invalid", "previous", 1},
      {R"({"id":1,"action":"publish","payload":{"channel":"a","message":1,"source":"","sequence":"1-1"}})",
       "command_invalid", "source", 1},
  };
  for (const Bad& row : table) {
    EXPECT_EQ(decode(row.message), row.code) << row.message;
    ASSERT_TRUE(error) << row.message;
    EXPECT_NE(error->error.message.find(row.says), std::string::npos)
        << row.message << ": " << error->error.message;
    EXPECT_EQ(error->id, row.id) << row.message;
  }
}

TEST_F(JsonProtocolTest, TellsABrokenMessageFromABrokenCommand) {
  for (const std::string_view message :
       {R"({"a":tru})", "[1,,2]", R"("\q")", R"("\ud800")", "01", "{\"a\":1,}", "\"a\nb\""}) {
    EXPECT_EQ(publish(R"({"channel":"a","message":)" + std::string(message) + "}"),
              "message_invalid")
        << message;
    EXPECT_EQ(error->id, 1U) << message;
    EXPECT_NE(error->error.message.find("message"), std::string::npos);
  }
  EXPECT_EQ(publish(R"({"channel":"a","message":1,"key":tru})"), "command_invalid");
  EXPECT_EQ(error->id, 1U);
  EXPECT_EQ(decode(R"({"id":4,"action":"publish","payload":{"channel":"a")"), "command_invalid");
  EXPECT_EQ(error->id, 4U);
  for (const std::string_view garbage :
       {"{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "}{", "\\", "{\"id\":1", "nul"}) {
    EXPECT_EQ(decode(garbage), "command_invalid") << garbage;
  }
}

TEST_F(JsonProtocolTest, LimitsDepthOfTheMessageNotOfTheCommand) {
  const auto deep = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(publish(R"({"channel":"a","message":)" + deep(1024) + "}"), "");
  EXPECT_EQ(publish(R"({"channel":"a","message":)" + deep(1025) + "}"), "message_invalid");
  EXPECT_NE(error->error.message.find("1024"), std::string::npos) << error->error.message;
  EXPECT_EQ(publish(R"({"channel":"a","message":)" + std::string(500'000, '[') + "}"),
            "command_invalid");
}

TEST_F(JsonProtocolTest, NamesTheLimitThatIsHit) {
  const std::string message = '"' + std::string(limits.message_bytes_max - 2, 'x') + '"';
  EXPECT_EQ(publish(R"({"channel":"a","message":)" + message + "}"), "");
  EXPECT_EQ(publish(R"({"channel":"a","message": [)" + message + "]}"), "message_too_large");
  EXPECT_NE(error->error.message.find("limits.message_bytes_max"), std::string::npos);
  EXPECT_EQ(decode(std::string(limits.command_bytes_max + 1, ' ')), "message_too_large");
  std::string many = R"({"message":1,"channels":[)";
  for (int i = 0; i < 101; ++i)
    many += (i ? ",\"c" : "\"c") + std::to_string(i) + '"';
  EXPECT_EQ(publish(many + "]}"), "channels_per_publish_max");
  EXPECT_NE(error->error.message.find("limits.channels_per_publish_max"), std::string::npos);
  EXPECT_EQ(publish(R"({"message":1,"channel":")" + std::string(256, 'c') + "\"}"),
            "channel_name_invalid");
}

TEST_F(JsonProtocolTest, WritesReplies) {
  EXPECT_EQ(reply(PingResult{}), R"({"id":7,"result":{}})");
  EXPECT_EQ(reply(PingResult{}, 0), R"({"result":{}})");
  EXPECT_EQ(
      reply(fail(ErrorCode::channel_name_invalid, "no \"quotes\"")),
      R"({"id":7,"error":{"code":"channel_name_invalid","message":"no \"quotes\"","temporary":false}})");
  EXPECT_EQ(
      reply(ConnectResult{"s-1", "gateway-1", 25'000, R"({"a":1})"}),
      R"({"id":7,"result":{"session":"s-1","gateway":"gateway-1","heartbeat_ms":25000,"limits":{"a":1}}})");
  EXPECT_EQ(reply(SubscribeResult{.channel = "a"}), R"({"id":7,"result":{"channel":"a"}})");
  EXPECT_EQ(reply(UnsubscribeResult{"a"}), R"({"id":7,"result":{"channel":"a"}})");
  const Position position = *Position::parse("aB3dE5gH-42");
  const PublicationView publication{.offset = {41}, .payload = "{}"};
  EXPECT_EQ(
      reply(SubscribeResult{"a", position, true, {&publication, 1}}),
      R"({"id":7,"result":{"channel":"a","epoch":"aB3dE5gH","offset":42,"recovered":true,"publications":[{"offset":41,"message":{}}]}})");
  EXPECT_EQ(
      reply(SubscribeResult{"a", position, false, {}}),
      R"({"id":7,"result":{"channel":"a","epoch":"aB3dE5gH","offset":42,"recovered":false,"publications":[]}})");
  bus::Page page;
  page.head = {position.epoch, {42}, {0}};
  page.publications = {&publication, 1};
  EXPECT_EQ(
      reply(HistoryResult{&page}),
      R"({"id":7,"result":{"epoch":"aB3dE5gH","offset":42,"publications":[{"offset":41,"message":{}}]}})");
}

TEST_F(JsonProtocolTest, WritesWhatBecameOfAPublish) {
  bus::Published ok;
  EXPECT_EQ(reply(PublishResult{{&ok, 1}}), R"({"id":7,"result":{}})");
  ok.position = Position::parse("aB3dE5gH-42");
  EXPECT_EQ(reply(PublishResult{{&ok, 1}}),
            R"({"id":7,"result":{"epoch":"aB3dE5gH","offset":42}})");
  ok.duplicate = true;
  ok.last = Sequence{1, 2};
  EXPECT_EQ(reply(PublishResult{{&ok, 1}}),
            R"({"id":7,"result":{"epoch":"aB3dE5gH","offset":42,"duplicate":true,"last":"1-2"}})");
  bus::Published refused;
  refused.status = bus::Published::Status::refused;
  refused.error = fail(ErrorCode::expectation_failed, "moved");
  refused.position = ok.position;
  EXPECT_EQ(
      reply(PublishResult{{&refused, 1}}),
      R"({"id":7,"error":{"code":"expectation_failed","message":"moved","temporary":false,"epoch":"aB3dE5gH","offset":42}})");
  const bus::Published both[] = {bus::Published{}, refused};
  EXPECT_EQ(
      reply(PublishResult{both, true}),
      R"({"id":7,"result":[{},{"error":{"code":"expectation_failed","message":"moved","temporary":false,"epoch":"aB3dE5gH","offset":42}}]})");
}

TEST_F(JsonProtocolTest, WritesPushes) {
  PublicationView p{.payload = "1e400"};
  EXPECT_EQ(push(MessagePush{"a\"b", &p, {}}),
            R"({"event":"message","channel":"a\"b","message":1e400})");
  p.offset = {43};
  p.key = "k";
  EXPECT_EQ(
      push(MessagePush{"a", &p, Offset{40}}),
      R"({"event":"message","channel":"a","offset":43,"after":40,"key":"k","message":1e400})");
  p = {.kind = Kind::deletion, .offset = {44}, .key = "k"};
  EXPECT_EQ(push(MessagePush{"a", &p, {}}),
            R"({"event":"message","channel":"a","offset":44,"key":"k","delete":true})");
  p = {.payload = "h\xc3\xbc\n", .type = "text/plain"};
  EXPECT_EQ(push(MessagePush{"a", &p, {}}),
            "{\"event\":\"message\",\"channel\":\"a\",\"type\":\"text/"
            "plain\",\"text\":\"h\xc3\xbc\\n\"}");
  const auto base64 = [&](std::string_view bytes) {
    p = {.payload = bytes, .type = "image/png"};
    return push(MessagePush{"a", &p, {}});
  };
  const std::string head = R"({"event":"message","channel":"a","type":"image/png","base64":")";
  EXPECT_EQ(base64("\xff"), head + "/w==\"}");
  EXPECT_EQ(base64("\xff\xfe"), head + "//4=\"}");
  EXPECT_EQ(base64("\xff\xfe\xfd"), head + "//79\"}");
  const Position position = *Position::parse("aB3dE5gH-42");
  EXPECT_EQ(push(PositionPush{"a", {9}}), R"({"event":"position","channel":"a","offset":9})");
  EXPECT_EQ(push(ResetPush{"a", position}),
            R"({"event":"reset","channel":"a","epoch":"aB3dE5gH","offset":42})");
  const Error error_value = fail(ErrorCode::draining, "bye");
  EXPECT_EQ(
      push(UnsubscribedPush{"a", &error_value}),
      R"({"event":"unsubscribed","channel":"a","code":"draining","message":"bye","temporary":true})");
  EXPECT_EQ(push(ErrorPush{&error_value}),
            R"({"event":"error","code":"draining","message":"bye","temporary":true})");
  EXPECT_EQ(push(HeartbeatPush{}), R"({"event":"heartbeat"})");
}

TEST_F(JsonProtocolTest, AllocatesNothingForAPublishInTheSteadyState) {
  const std::string message =
      R"({"id":12345,"action":"publish","payload":{"channel":"room:1","message":{"text":")" +
      std::string(100, 'x') + R"("}}})";
  std::string out;
  out.reserve(4096);
  const auto once = [&] {
    ASSERT_FALSE(protocol.decode(message, command));
    out.clear();
    const bus::Published ok;
    protocol.encode_push(out, MessagePush{command.channel, &command.publish.publication, {}});
    protocol.encode_reply(out, *command.id, PublishResult{{&ok, 1}, false});
  };
  once();
  once();
  const std::uint64_t before = test::allocations();
  for (int i = 0; i < 1000; ++i)
    once();
  EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace peal::gateway
