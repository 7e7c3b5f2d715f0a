#include "peal/runtime/control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "eventually.hpp"
#include "log_capture.hpp"
#include "peal/proto/json.hpp"
#include "peal/runtime/address.hpp"

namespace peal::runtime {
namespace {

using test::eventually;
using testing::HasSubstr;
using testing::StartsWith;

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    folder_ = std::filesystem::temp_directory_path() / ("peal-control-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    config_.endpoint = "ipc://" + (folder_ / "c").string();
    config_.ingest_endpoint = "ipc://" + (folder_ / "i").string();
    limits_.command_bytes_max = 4096;
    limits_.message_bytes_max = 1024;
    limits_.json_depth_max = 16;
  }
  ~ControlTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void make() {
    server_ =
        std::make_unique<ControlServer>(config_, "node-1", limits_, Logger(capture_), probes_);
    server_->handle("echo", [](std::string_view payload, const ControlReply& reply) {
      reply.result(std::string(payload));
    });
    server_->on_ingest(
        [this](std::string_view channel, std::string_view payload) {
          const std::lock_guard lock(mutex_);
          ingested_.push_back(std::string(channel) + " " + std::string(payload));
        },
        [this] { return gate_.load(); });
  }
  void start() {
    if (!server_) make();
    const auto started = server_->start(capture_);
    ASSERT_TRUE(started) << started.error().message;
  }
  std::string start_problem() {
    make();
    const auto started = server_->start(capture_);
    return started ? "" : started.error().message;
  }

  zmq::socket_t client(zmq::socket_type type) {
    zmq::socket_t socket(context_, type);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, 60'000);
    return socket;
  }
  zmq::socket_t connected(zmq::socket_type type) {
    zmq::socket_t socket = client(type);
    socket.connect(type == zmq::socket_type::push ? server_->ingest_endpoint()
                                                  : server_->endpoint());
    return socket;
  }
  static std::string hear(zmq::socket_t& socket) {
    std::vector<zmq::message_t> frames;
    if (!zmq::recv_multipart(socket, std::back_inserter(frames))) return "nothing";
    std::string text;
    for (const auto& frame : frames)
      text += (&frame == &frames[0] ? "" : "|") + frame.to_string();
    return text;
  }
  static std::string ask(zmq::socket_t& socket, std::string_view command) {
    socket.send(zmq::buffer(command));
    return hear(socket);
  }
  static void send_frames(zmq::socket_t& socket, const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      socket.send(zmq::buffer(frames[i]),
                  i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  std::size_t ingested() {
    const std::lock_guard lock(mutex_);
    return ingested_.size();
  }

  std::filesystem::path folder_;
  ControlConfig config_;
  Limits limits_;
  ProbeRegistry probes_;
  std::shared_ptr<test::LogCapture> capture_ = std::make_shared<test::LogCapture>();
  std::mutex mutex_;
  std::vector<std::string> ingested_;
  std::atomic<bool> gate_{true};
  std::unique_ptr<ControlServer> server_;
  zmq::context_t context_;
};

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

// --- the socket's place

TEST_F(ControlTest, TheIpcFilesAreForTheirUserOnlyAndGoWithTheServer) {
  start();
  for (const char* name : {"c", "i"}) {
    struct stat status {};
    ASSERT_EQ(stat((folder_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "c"));
}

TEST_F(ControlTest, AStaleFileIsReplaced) {
  const std::string path = folder_ / "c";
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path));
  start();
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, ALivingProcesssSocketIsNotTakenOver) {
  start();
  ControlServer second(config_, "node-2", limits_, Logger(), probes_);
  const auto started = second.start(capture_);
  ASSERT_TRUE(started.has_error());
  EXPECT_THAT(started.error().message, HasSubstr("control: cannot listen on " + config_.endpoint));
  EXPECT_THAT(started.error().message, HasSubstr("another process listens there"));
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})");
}

TEST_F(ControlTest, AFileThatIsNoSocketIsNotRemoved) {
  std::ofstream(folder_ / "c") << "precious";
  EXPECT_THAT(start_problem(), HasSubstr("no socket is in its place"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "c"));
}

TEST_F(ControlTest, PlacesThatCannotBeAreNamed) {
  config_.endpoint = "ipc://" + (folder_ / std::string(120, 'x')).string();
  EXPECT_THAT(start_problem(), HasSubstr("the path is longer than 107 bytes"));
  config_.endpoint = "ipc:///nonexistent/folder/c";
  EXPECT_THAT(start_problem(), HasSubstr("No such file or directory"));
  config_.endpoint = "udp://x";
  EXPECT_THAT(start_problem(), HasSubstr("neither ipc:// nor tcp://"));
  config_.endpoint = "tcp://127.0.0.1:99999";
  EXPECT_THAT(start_problem(), HasSubstr("control: cannot listen on tcp://127.0.0.1:99999"));
}

TEST_F(ControlTest, APortInUseIsNamed) {
  config_.endpoint = "tcp://127.0.0.1:*";
  start();
  config_.endpoint = server_->endpoint();
  ControlServer second(config_, "node-2", limits_, Logger(), probes_);
  const auto started = second.start(capture_);
  ASSERT_TRUE(started.has_error());
  EXPECT_THAT(started.error().message, HasSubstr("Address already in use"));
}

TEST_F(ControlTest, OffMeansOff) {
  config_.endpoint = "off";
  config_.ingest_endpoint = "off";
  start();
  EXPECT_EQ(server_->endpoint(), "");
  EXPECT_EQ(server_->ingest_endpoint(), "");
}

TEST_F(ControlTest, WithoutAnEndpointItIsInTheRuntimeFolder) {
  const char* const before = getenv("XDG_RUNTIME_DIR");
  const std::string saved = before ? before : "";
  setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
  config_.endpoint.clear();
  config_.ingest_endpoint.clear();
  start();
  EXPECT_EQ(server_->endpoint(), "ipc://" + folder_.string() + "/peal/node-1.control");
  EXPECT_EQ(server_->ingest_endpoint(), "ipc://" + folder_.string() + "/peal/node-1.ingest");
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "peal").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  server_.reset();
  chmod((folder_ / "peal").c_str(), 0777);
  EXPECT_THAT(start_problem(), HasSubstr("can be written by others"));
  if (before) {
    setenv("XDG_RUNTIME_DIR", saved.c_str(), 1);
  } else {
    unsetenv("XDG_RUNTIME_DIR");
  }
}

// --- CURVE

TEST_F(ControlTest, TcpForOthersNeedsCurve) {
  config_.endpoint = "tcp://0.0.0.0:*";
  EXPECT_THAT(start_problem(), HasSubstr("insecure = true"));
  config_.endpoint = "off";
  config_.ingest_endpoint = "tcp://0.0.0.0:*";
  EXPECT_THAT(start_problem(), HasSubstr("ingest: tcp://0.0.0.0:*"));
  config_.insecure = true;
  EXPECT_EQ(start_problem(), "");
}

TEST_F(ControlTest, CurveAdmitsWhoIsOnTheListOnly) {
  const CurveKeys server_keys = generate_curve_keys();
  const CurveKeys mine = generate_curve_keys();
  const CurveKeys stranger = generate_curve_keys();
  config_.endpoint = "tcp://127.0.0.1:*";
  config_.curve.secret_key = server_keys.secret_key;
  config_.curve.allowed_keys = {mine.public_key};
  start();
  const auto with_keys = [&](const CurveKeys& keys) {
    zmq::socket_t socket = client(zmq::socket_type::dealer);
    const CurveConfig curve{keys.public_key, keys.secret_key, server_keys.public_key, {}};
    EXPECT_TRUE(apply_curve_client(socket.handle(), curve));
    socket.connect(server_->endpoint());
    return socket;
  };
  auto refused = with_keys(stranger);
  refused.send(zmq::buffer(std::string_view(R"({"action":"echo"})")), zmq::send_flags::dontwait);
  auto admitted = with_keys(mine);
  EXPECT_EQ(ask(admitted, R"({"action":"echo"})"), R"({"result":{}})");
  ASSERT_TRUE(eventually([&] { return capture_->said("key=" + stranger.public_key); }));
  refused.set(zmq::sockopt::rcvtimeo, 50);
  EXPECT_EQ(hear(refused), "nothing");
}

TEST_F(ControlTest, AWrongKeyInTheConfigIsNamed) {
  config_.curve.secret_key = "tooshort";
  EXPECT_THAT(start_problem(), HasSubstr("curve.secret_key"));
}

// --- ingest

TEST_F(ControlTest, IngestsChannelAndPayloadByteForByte) {
  start();
  auto push = connected(zmq::socket_type::push);
  send_frames(push, {"room:1", R"({"n" : 18446744073709551616, "n":1e400})"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], R"(room:1 {"n" : 18446744073709551616, "n":1e400})");
}

TEST_F(ControlTest, AThirdFrameIsForLaterVersions) {
  start();
  auto push = connected(zmq::socket_type::push);
  send_frames(push, {"a", "1", "x"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], "a 1");
}

TEST_F(ControlTest, RefusesWhatIsNoPublicationAndGoesOn) {
  start();
  auto push = connected(zmq::socket_type::push);
  for (const auto& frames :
       std::vector<std::vector<std::string>>{{"alone"},
                                             {"a", "1", "2", "3"},
                                             std::vector<std::string>(40, "x"),
                                             {"", "1"},
                                             {"a\n", "1"},
                                             {"\xff", "1"},
                                             {std::string(256, 'c'), "1"},
                                             {"a", ""},
                                             {"a", "{\"a\":tru}"},
                                             {"a", "[1,,2]"},
                                             {"a", R"("\q")"},
                                             {"a", R"("\ud800")"},
                                             {"a", "\"\xff\""},
                                             {"a", std::string(17, '[') + std::string(17, ']')},
                                             {"a", "\"" + std::string(1023, 'x') + "\""}}) {
    send_frames(push, frames);
  }
  send_frames(push, {"a", "1"});
  ASSERT_TRUE(eventually([&] { return ingested() == 1; }));
  EXPECT_EQ(ingested_[0], "a 1");
  const std::string metrics = probes_.text();
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_publications_total 1\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"command_invalid\"} 3\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"channel_name_invalid\"} 4\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"message_invalid\"} 7\n"));
  EXPECT_THAT(metrics, HasSubstr("peal_ingest_refused_total{code=\"message_too_large\"} 1\n"));
  EXPECT_TRUE(capture_->said("refused a message on the ingest socket code=command_invalid"));
}

TEST_F(ControlTest, AClosedGateMakesProducersWaitWithoutLoss) {
  gate_ = false;
  start();
  auto push = connected(zmq::socket_type::push);
  for (int i = 0; i < 100; ++i)
    send_frames(push, {"a", std::to_string(i)});
  auto req = connected(zmq::socket_type::req);
  EXPECT_EQ(ask(req, R"({"action":"echo"})"), R"({"result":{}})") << "control goes on";
  EXPECT_EQ(ingested(), 0U);
  gate_ = true;
  ASSERT_TRUE(eventually([&] { return ingested() == 100; }));
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(ingested_[static_cast<std::size_t>(i)], "a " + std::to_string(i));
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
