#include "peal/proto/cluster_commands.hpp"

#include <gtest/gtest.h>

namespace peal {
namespace {

using bus::ClusterAnswer;
using bus::ClusterQuery;
using What = ClusterQuery::What;

std::string disconnect_error(std::string_view payload) {
  JsonReader reader;
  const auto command = read_disconnect_command(reader, payload);
  return command ? ""
                 : std::string(info(command.error().code).name) + ": " + command.error().message;
}
std::string count_error(std::string_view payload) {
  JsonReader reader;
  const auto command = read_count_command(reader, payload);
  return command ? "" : command.error().message;
}

TEST(ClusterCommands, DisconnectIsReadWhole) {
  JsonReader reader;
  auto command =
      read_disconnect_command(
          reader, R"({"user":"a\"nn","reconnect":false,"reason":"go","within_ms":250,"here":true})")
          .value();
  EXPECT_EQ(command.query.what, What::disconnect_user);
  EXPECT_EQ(command.query.who, "a\"nn");
  EXPECT_EQ(command.query.code, CloseCode::disconnected_for_good);
  EXPECT_EQ(command.query.reason, "go");
  EXPECT_EQ(command.query.within, std::chrono::milliseconds(250));
  EXPECT_TRUE(command.here);
  command = read_disconnect_command(reader, R"({"session":"s"})").value();
  EXPECT_EQ(command.query.what, What::disconnect_session);
  EXPECT_EQ(command.query.code, CloseCode::disconnected);
  EXPECT_EQ(command.query.reason, "disconnected by an operator");
  EXPECT_EQ(command.query.within, std::chrono::milliseconds(1000));
  EXPECT_FALSE(command.here);
}

TEST(ClusterCommands, WhatMakesNoSenseIsSaid) {
  const std::string who = "command_invalid: disconnect needs session or user";
  EXPECT_EQ(disconnect_error("{}"), who);
  EXPECT_EQ(disconnect_error(R"({"session":"a","user":"b"})"), who);
  EXPECT_EQ(disconnect_error(R"({"user":""})"), who);
  EXPECT_EQ(disconnect_error(R"({"session":5})"),
            "command_invalid: the field session is not a string");
  EXPECT_EQ(disconnect_error(R"({"user":"a","here":1})"),
            "command_invalid: the field here is not true or false");
  EXPECT_EQ(disconnect_error(R"({"user":"a","reason":")" + std::string(124, 'x') + "\"}"),
            "command_invalid: reason is longer than 123 bytes");
  for (const char* within : {"0", "60001", "-1", "\"1s\""}) {
    EXPECT_EQ(count_error(std::string(R"({"within_ms":)") + within + "}"),
              "within_ms is not a number from 1 to 60000");
  }
  EXPECT_EQ(count_error(R"({"limit":0})"), "the field limit is not a positive number");
  EXPECT_EQ(count_error(R"({"channels":"a"})"), "the field channels is not a list");
  EXPECT_EQ(count_error(R"({"channels":[""]})"),
            "channels is not a list of channel names or globs");
  std::string many = R"({"channels":["a")";
  for (int i = 0; i < 100; ++i)
    many += ",\"a\"";
  EXPECT_EQ(count_error(many + "]}"), "more than 100 channels");
}

TEST(ClusterCommands, CountTakesGlobsAndAPlace) {
  JsonReader reader;
  const auto command =
      read_count_command(reader, R"({"channels":["a*","b"],"after":"a1","limit":5000})").value();
  EXPECT_EQ(command.query.what, What::count);
  EXPECT_EQ(command.query.channels, (std::vector<std::string>{"a*", "b"}));
  EXPECT_EQ(command.query.after, "a1");
  EXPECT_EQ(command.query.limit, ClusterQuery::kLimitMax);
}

TEST(ClusterCommands, NobodyFoundIsAnErrorOnlyWhenAllHaveAnswered) {
  ClusterQuery query;
  query.what = What::disconnect_user;
  ClusterAnswer answer;
  answer.asked = answer.answered = 3;
  const auto error = error_of(query, answer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::session_not_found);
  EXPECT_EQ(error->message, "the user has no session at any of 3 gateways");
  answer.answered = 2;
  EXPECT_FALSE(error_of(query, answer)) << "who knows";
  answer.answered = 3;
  answer.disconnected = 1;
  EXPECT_FALSE(error_of(query, answer));
  answer.disconnected = 0;
  query.what = What::count;
  EXPECT_FALSE(error_of(query, answer));
  EXPECT_EQ(error_of(query, bus::failed_answer(fail(ErrorCode::overloaded, "no")))->message, "no");
}

TEST(ClusterCommands, AnAnswerIsToldWithWhoDidNot) {
  ClusterQuery query;
  ClusterAnswer answer;
  answer.sessions = 7;
  answer.subscriptions = 9;
  answer.asked = answer.answered = 2;
  EXPECT_EQ(cluster_json(query, answer),
            R"({"sessions":7,"subscriptions":9,"asked":2,"answered":2})");
  query.channels = {"*"};
  answer.channels = {{"a\"", 1}, {"b", 2}};
  answer.more = true;
  answer.answered = 1;
  answer.missing = {{"gateway-2", "did not within 1 s"}};
  EXPECT_EQ(cluster_json(query, answer),
            R"({"sessions":7,"subscriptions":9,"channels":[{"name":"a\"","subscribers":1},)"
            R"({"name":"b","subscribers":2}],"next":"b","asked":2,"answered":1,)"
            R"("missing":[{"node":"gateway-2","reason":"did not within 1 s"}]})");
  query.what = What::disconnect_session;
  answer.answered = 2;
  answer.disconnected = 1;
  EXPECT_EQ(cluster_json(query, answer), R"({"disconnected":1,"asked":2,"answered":2})");
}

}  // namespace
}  // namespace peal
