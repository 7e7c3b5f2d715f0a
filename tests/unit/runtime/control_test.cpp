#include "peal/runtime/control.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <mutex>
#include <thread>

#include "control_fixture.hpp"
#include "eventually.hpp"
#include "peal/proto/json.hpp"
#include "peal/runtime/address.hpp"

namespace peal::runtime {
namespace {

using test::eventually;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ControlTest, AnswersAReqClient) {
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"id": 7, "action": "echo", "payload": {"a" : 1e400}})"),
            R"({"id":7,"result":{"a" : 1e400}})");
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
  EXPECT_EQ(ask(req, R"({"action":"ping"})"), R"({"result":{}})");
}

TEST_F(ControlTest, TheIdIsAnyJsonAndComesBackByteForByte) {
  start();
  auto req = connected(zmq::socket_type::req);
  for (const std::string id : {"0", "-1.50e+3", "\"a\\u0041\"", "null", "{\"x\" : [ ]}", "1e400"}) {
    EXPECT_EQ(ask(req, "{\"id\": " + id + " ,\"action\":\"echo\"}"),
              "{\"id\":" + id + ",\"result\":{}}");
  }
  EXPECT_THAT(ask(req, R"({"id":"me","action":3})"), StartsWith(R"({"id":"me","error":)"));
}

TEST_F(ControlTest, AMessageInACommandMayBeAsDeepAsTheLimit) {
  start();
  auto req = connected(zmq::socket_type::req);
  const auto nested = [](std::size_t depth) {
    return "{\"action\":\"echo\",\"payload\":{\"message\":" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  EXPECT_THAT(ask(req, nested(16)), HasSubstr("result"));
  EXPECT_THAT(ask(req, nested(17)), HasSubstr("error"));
}

TEST_F(ControlTest, AnswersADealerWithAndWithoutTheEmptyDelimiter) {
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  EXPECT_EQ(ask(dealer, R"({"id":1,"action":"echo"})"), R"({"id":1,"result":{}})");
  send_frames(dealer, {"", R"({"id":2,"action":"echo"})"});
  EXPECT_EQ(hear(dealer), R"(|{"id":2,"result":{}})");
}

TEST_F(ControlTest, PipelinedCommandsAreAnsweredInOrder) {
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  for (int i = 1; i <= 2000; ++i) {
    dealer.send(zmq::buffer("{\"id\":" + std::to_string(i) + ",\"action\":\"echo\"}"));
  }
  for (int i = 1; i <= 2000; ++i) {
    ASSERT_EQ(hear(dealer), "{\"id\":" + std::to_string(i) + ",\"result\":{}}");
  }
}

TEST_F(ControlTest, GarbageGetsAnErrorAndTheNextCommandAnAnswer) {
  start();
  auto req = connected(zmq::socket_type::req);
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "command_invalid"},
      {"hello", "not valid JSON"},
      {R"({"id":3,"action":tru})", "not valid JSON"},
      {R"({"id":3,"action":"echo","payload":{"a":[1,,2]}})", "not valid JSON"},
      {R"({"id":3,"action":"echo","payload":{"a":"\q"}})", "not valid JSON"},
      {R"({"id":3,"action":"echo","payload":{"a":"\ud800"}})", "not valid JSON"},
      {"\"\xff\"", "UTF-8"},
      {"[]", "JSON object"},
      {"3", "JSON object"},
      {"{}", R"(\"action\" is missing)"},
      {R"({"action":3})", R"(\"action\" is not a name)"},
      {R"({"action":""})", R"(\"action\" is not a name)"},
      {R"({"action":"echo","payload":[]})", R"(\"payload\" is not an object)"},
      {R"({"action":"echo","action":"ping"})", "twice"},
      {R"({"id":4,"id":5,"action":"echo"})", "twice"},
      {R"({"payload":{},"payload":{},"action":"echo"})", "twice"},
      {R"({"id":9,"action":"no\"such"})", R"({"id":9,"error":{"code":"action_unknown")"},
      {R"({"action":"echo","payload":{"a":)" + std::string(17, '[') + std::string(17, ']') + "}}",
       "limits.json_depth_max (16)"},
      {"{\"action\":\"echo\",\"payload\":{\"a\":\"" + std::string(5000, 'x') + "\"}}",
       "limits.command_bytes_max is 4096"},
  };
  for (const auto& [command, expected] : table) {
    const std::string reply = ask(req, command);
    JsonReader reader;
    EXPECT_TRUE(reader.validate(reply)) << reply;
    EXPECT_THAT(reply, HasSubstr("\"error\"")) << command;
    EXPECT_THAT(reply, HasSubstr(expected)) << command;
  }
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
  EXPECT_THAT(probes_.text(), HasSubstr("peal_control_errors_total{code=\"message_too_large\"} 1"));
  EXPECT_THAT(probes_.text(), HasSubstr("peal_control_errors_total{code=\"action_unknown\"} 1"));
}

TEST_F(ControlTest, WrongFrameCountsGetAnError) {
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  for (const auto& frames :
       std::vector<std::vector<std::string>>{{"a", "b"},
                                             {"a", "b", "c"},
                                             {"", "b", "c"},
                                             {"", "", ""},
                                             std::vector<std::string>(50, "x")}) {
    send_frames(dealer, frames);
    EXPECT_THAT(hear(dealer), HasSubstr("a command is one frame, not"));
  }
  EXPECT_EQ(ask(dealer, R"({"id":1,"action":"echo"})"), R"({"id":1,"result":{}})");
}

TEST_F(ControlTest, AnOversizedFrameCostsOnlyItsSender) {
  start();
  auto big = connected(zmq::socket_type::dealer);
  auto other = connected(zmq::socket_type::req);
  big.send(zmq::buffer(std::string(8 * 1024 * 1024, 'x')));
  EXPECT_EQ(ask(other, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, RawBytesOnATcpSocketHarmNobody) {
  config_.endpoint = "tcp://127.0.0.1:*";
  start();
  const auto at = Address::parse(server_->endpoint().substr(6));
  boost::asio::io_context io;
  std::vector<boost::asio::ip::tcp::socket> sockets;
  for (const char* bytes :
       {"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "",
        "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03"}) {
    sockets.emplace_back(io).connect({boost::asio::ip::make_address(at->host), at->port});
    boost::system::error_code ignored;
    boost::asio::write(sockets.back(), boost::asio::buffer(std::string(bytes)), ignored);
  }
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, HandlersMayAnswerLaterFromAnotherThread) {
  make();
  std::jthread later;
  server_->handle("slow", [&later](std::string_view, const ControlReply& reply) {
    later = std::jthread([reply] {
      reply.result("1");
      reply.result("2");
      reply.error(fail(ErrorCode::overloaded, "too late"));
    });
  });
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  EXPECT_EQ(ask(dealer, R"({"id":1,"action":"slow"})"), R"({"id":1,"result":1})");
  EXPECT_EQ(ask(dealer, R"({"id":2,"action":"ping"})"), R"({"id":2,"result":{}})")
      << "only one answer";
  server_.reset();  // its thread has made `later`
}

TEST_F(ControlTest, FailuresOfHandlersAreAnswered) {
  make();
  server_->handle("forget", [](std::string_view, const ControlReply&) {});
  server_->handle("throw", [](std::string_view, const ControlReply&) {
    throw std::runtime_error("secret detail");
  });
  server_->handle("refuse", [](std::string_view, const ControlReply& reply) {
    reply.error(fail(ErrorCode::overloaded, "say \"when\""));
  });
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_THAT(ask(req, R"({"id":1,"action":"forget"})"), HasSubstr("left unanswered"));
  const std::string thrown = ask(req, R"({"id":1,"action":"throw"})");
  EXPECT_THAT(thrown, HasSubstr("\"code\":\"internal_error\""));
  EXPECT_THAT(thrown, testing::Not(HasSubstr("secret detail")));
  EXPECT_TRUE(capture_->said("secret detail"));
  EXPECT_EQ(ask(req, R"({"id":5,"action":"refuse"})"),
            R"({"id":5,"error":{"code":"overloaded","message":"say \"when\"","temporary":true}})");
}

TEST_F(ControlTest, AReplyThatOutlivesTheServerIsHarmless) {
  make();
  std::vector<ControlReply> kept;
  std::mutex mutex;
  server_->handle("keep", [&](std::string_view, const ControlReply& reply) {
    const std::lock_guard lock(mutex);
    kept.push_back(reply);
  });
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  dealer.send(zmq::buffer(std::string_view(R"({"id":1,"action":"keep"})")));
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return !kept.empty();
  }));
  server_.reset();
  EXPECT_NO_THROW(kept[0].result("1"));
}

TEST_F(ControlTest, AReplyToAClientThatHasGoneIsCounted) {
  make();
  std::vector<ControlReply> kept;
  std::atomic<int> asked{0};
  server_->handle("keep", [&](std::string_view, const ControlReply& reply) {
    kept.push_back(reply);
    ++asked;
  });
  server_->handle("answer_one", [&](std::string_view, const ControlReply& reply) {
    if (!kept.empty()) kept.pop_back();
    reply.result("{}");
  });
  start();
  constexpr int kCommands = 1000;
  {
    auto gone = connected(zmq::socket_type::dealer);
    for (int i = 0; i < kCommands; ++i) {
      gone.send(zmq::buffer(std::string_view(R"({"id":1,"action":"keep"})")));
    }
    ASSERT_TRUE(eventually([&] { return asked == kCommands; }));
  }
  // That it has gone reaches the ROUTER some time later; until then replies are queued for nobody.
  auto req = connected(zmq::socket_type::req);
  EXPECT_TRUE(eventually([&] {
    ask(req, R"({"action":"answer_one"})");
    return probes_.text().find("peal_control_replies_dropped_total 0") == std::string::npos;
  }));
  server_.reset();  // its thread uses `kept`
}

TEST_F(ControlTest, AClientThatDoesNotReadHoldsUpNobody) {
  start();
  auto lazy = connected(zmq::socket_type::dealer);
  lazy.set(zmq::sockopt::sndtimeo, 2000);
  const std::string command =
      "{\"action\":\"echo\",\"payload\":{\"a\":\"" + std::string(1000, 'x') + "\"}}";
  for (int i = 0; i < 20'000; ++i)
    lazy.send(zmq::buffer(command), zmq::send_flags::dontwait);
  auto req = connected(zmq::socket_type::req);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, StatsTellWhatTheMetricsTell) {
  start();
  auto req = connected(zmq::socket_type::req);
  const std::string reply = ask(req, R"({"id":1,"action":"stats"})");
  JsonReader reader;
  ASSERT_TRUE(reader.validate(reply)) << reply;
  EXPECT_THAT(reply, StartsWith(R"({"id":1,"result":{"node":"node-1","version":)"));
  EXPECT_THAT(reply, HasSubstr("\"peal_control_commands_total\":1"));
}

TEST_F(ControlTest, TheLogLevelIsReadAndChanged) {
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"log-level"})"), R"({"result":{"level":"trace"}})");
  EXPECT_EQ(ask(req, R"({"action":"log-level","payload":{"level":"warn"}})"),
            R"({"result":{"level":"warn"}})");
  EXPECT_EQ(capture_->level(), LogLevel::warn);
  EXPECT_THAT(ask(req, R"({"action":"log-level","payload":{"level":"loud"}})"),
              HasSubstr("command_invalid"));
  EXPECT_THAT(ask(req, R"({"action":"log-level","payload":{"level":3}})"),
              HasSubstr("command_invalid"));
  EXPECT_EQ(capture_->level(), LogLevel::warn);
}

TEST_F(ControlTest, TheApplicationsHandlerWins) {
  make();
  server_->handle("stats", [](std::string_view, const ControlReply& reply) { reply.result("1"); });
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"stats"})"), R"({"result":1})");
}

TEST_F(ControlTest, StopLetsTheLastRepliesOut) {
  make();
  std::atomic<bool> asked{false};
  server_->handle("drain", [&](std::string_view, const ControlReply& reply) {
    reply.result("{}");
    asked = true;
  });
  start();
  auto dealer = connected(zmq::socket_type::dealer);
  dealer.send(zmq::buffer(std::string_view(R"({"id":1,"action":"drain"})")));
  ASSERT_TRUE(eventually([&] { return asked.load(); }));
  server_.reset();
  EXPECT_EQ(hear(dealer), R"({"id":1,"result":{}})");
}

}  // namespace
}  // namespace peal::runtime
