// Questions to the cluster on the wire, both ways.
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "peal/proto/bus_wire.hpp"

namespace peal::wire {
namespace {

using bus::ClusterAnswer;
using bus::ClusterQuery;

/// Hears nothing else.
class Heard final : public OperationSink {
 public:
  bus::RequestId id = 0;
  std::optional<ClusterQuery> query;
  std::optional<ClusterAnswer> answer;

  void on_cluster_query(bus::RequestId number, const ClusterQuery& heard) override {
    id = number;
    query = heard;
  }
  void on_cluster_answer(bus::RequestId number, const ClusterAnswer& heard) override {
    id = number;
    answer = heard;
  }
};

bool read(Direction direction, const Message& message, Heard& heard) {
  Reader reader(direction);
  if (!reader.read(message.header, message.body)) return false;
  reader.walk(heard);
  return true;
}

/// Whether a question that was written is taken.
bool taken(const ClusterQuery& query) {
  Writer writer;
  writer.cluster_query(1, query);
  Heard heard;
  return read(Direction::to_broker, writer.close({}), heard);
}
bool taken(const ClusterAnswer& answer) {
  Writer writer;
  writer.cluster_answer(1, answer);
  Heard heard;
  return read(Direction::to_broker, writer.close({}), heard);
}

ClusterQuery disconnect(std::string user) {
  ClusterQuery query;
  query.what = ClusterQuery::What::disconnect_user;
  query.who = std::move(user);
  return query;
}

TEST(BusWireQuery, AQuestionComesThroughBothWays) {
  ClusterQuery query = disconnect("ann");
  query.code = CloseCode::disconnected_for_good;
  query.reason = "go";
  query.channels = {"a*", "b"};
  query.after = "a1";
  query.limit = 12;
  query.within = std::chrono::milliseconds(250);
  for (const Direction direction : {Direction::to_broker, Direction::to_peer}) {
    Writer writer;
    writer.cluster_query(77, query);
    Heard heard;
    ASSERT_TRUE(read(direction, writer.close({}), heard));
    ASSERT_TRUE(heard.query);
    EXPECT_FALSE(heard.answer);
    EXPECT_EQ(heard.id, 77U);
    EXPECT_EQ(heard.query->what, query.what);
    EXPECT_EQ(heard.query->who, "ann");
    EXPECT_EQ(heard.query->code, CloseCode::disconnected_for_good);
    EXPECT_EQ(heard.query->reason, "go");
    EXPECT_EQ(heard.query->channels, query.channels);
    EXPECT_EQ(heard.query->after, "a1");
    EXPECT_EQ(heard.query->limit, 12U);
    EXPECT_EQ(heard.query->within, query.within);
  }
}

TEST(BusWireQuery, AnAnswerComesThroughBothWays) {
  ClusterAnswer answer;
  answer.disconnected = 1;
  answer.sessions = 2;
  answer.subscriptions = std::uint64_t{1} << 50;
  answer.channels = {{"a", 3}, {"b", 0}};
  answer.more = true;
  answer.asked = 4;
  answer.answered = 3;
  answer.missing = {{"gateway-2", "did not within 1 s"}};
  for (const Direction direction : {Direction::to_broker, Direction::to_peer}) {
    Writer writer;
    writer.cluster_answer(5, answer);
    Heard heard;
    ASSERT_TRUE(read(direction, writer.close({}), heard));
    ASSERT_TRUE(heard.answer);
    EXPECT_FALSE(heard.query);
    EXPECT_EQ(heard.answer->disconnected, 1U);
    EXPECT_EQ(heard.answer->sessions, 2U);
    EXPECT_EQ(heard.answer->subscriptions, answer.subscriptions);
    EXPECT_EQ(heard.answer->channels, answer.channels);
    EXPECT_TRUE(heard.answer->more);
    EXPECT_EQ(heard.answer->asked, 4U);
    EXPECT_EQ(heard.answer->answered, 3U);
    EXPECT_EQ(heard.answer->missing, answer.missing);
    EXPECT_FALSE(heard.answer->error);
  }
}

TEST(BusWireQuery, AnEmptyAnswerIsStillAnAnswerAndAnErrorKeepsItsCode) {
  Writer writer;
  writer.cluster_answer(5, {});
  Heard heard;
  ASSERT_TRUE(read(Direction::to_peer, writer.close({}), heard));
  EXPECT_TRUE(heard.answer);
  writer.cluster_answer(6, bus::failed_answer(fail(ErrorCode::overloaded, "too many")));
  ASSERT_TRUE(read(Direction::to_peer, writer.close({}), heard));
  ASSERT_TRUE(heard.answer->error);
  EXPECT_EQ(heard.answer->error->code, ErrorCode::overloaded);
  EXPECT_EQ(heard.answer->error->message, "too many");
}

TEST(BusWireQuery, ALaterVersionsErrorKeepsItsName) {
  Writer writer;
  writer.cluster_answer(6, bus::failed_answer(fail(ErrorCode::overloaded, "too many")));
  Message message = writer.close({});
  message.body.replace(message.body.find("overloaded"), 10, "overlooked");
  Heard heard;
  ASSERT_TRUE(read(Direction::to_peer, message, heard));
  ASSERT_TRUE(heard.answer->error);
  EXPECT_EQ(heard.answer->error->code, ErrorCode::internal_error);
  EXPECT_EQ(heard.answer->error->message, "overlooked: too many");
}

TEST(BusWireQuery, WhatIsOutOfBoundsIsGarbageOrCutDown) {
  EXPECT_TRUE(taken(disconnect("ann")));
  EXPECT_FALSE(taken(disconnect("")));
  ClusterQuery query = disconnect("ann");
  query.reason = std::string(124, 'r');
  EXPECT_FALSE(taken(query));
  query = {};
  query.channels.assign(ClusterQuery::kGlobsMax + 1, "a");
  EXPECT_FALSE(taken(query));
  query.channels = {std::string(256, 'a')};
  EXPECT_FALSE(taken(query));
  query = {};
  query.what = static_cast<ClusterQuery::What>(4);
  EXPECT_FALSE(taken(query));

  ClusterAnswer answer;
  answer.channels = {{"b", 1}, {"a", 1}};
  EXPECT_FALSE(taken(answer)) << "not in order";
  answer.channels = {{"a", 1}, {"a", 1}};
  EXPECT_FALSE(taken(answer)) << "twice";
  answer = {};
  answer.more = true;
  EXPECT_FALSE(taken(answer)) << "more behind nothing";
  answer = {};
  answer.answered = 1;
  EXPECT_FALSE(taken(answer)) << "more answered than asked";

  query = {};
  query.limit = 1'000'000;
  query.within = std::chrono::hours(100);
  Writer writer;
  writer.cluster_query(1, query);
  Heard heard;
  ASSERT_TRUE(read(Direction::to_broker, writer.close({}), heard));
  EXPECT_EQ(heard.query->limit, ClusterQuery::kLimitMax);
  EXPECT_EQ(heard.query->within, ClusterQuery::kWithinMax);
}

TEST(BusWireQuery, ALaterVersionsCloseCodeStillSaysWhetherToComeBack) {
  for (const auto& [number, means] : {std::pair{3077, CloseCode::disconnected},
                                      std::pair{3599, CloseCode::disconnected_for_good}}) {
    ClusterQuery query = disconnect("ann");
    query.code = static_cast<CloseCode>(number);
    Writer writer;
    writer.cluster_query(1, query);
    Heard heard;
    ASSERT_TRUE(read(Direction::to_peer, writer.close({}), heard));
    EXPECT_EQ(heard.query->code, means);
  }
}

TEST(BusWireQuery, HelloSaysWhoAnswers) {
  for (const bool answers : {true, false}) {
    Hello hello;
    hello.cluster = hello.node = "a";
    hello.answers = answers;
    Writer writer;
    writer.hello(hello);
    const Message message = writer.close({});
    Reader reader(Direction::to_broker);
    ASSERT_TRUE(reader.read(message.header, message.body));
    EXPECT_EQ(reader.hello()->answers, answers);
  }
}

}  // namespace
}  // namespace peal::wire
