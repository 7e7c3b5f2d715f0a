#include "peal/runtime/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "eventually.hpp"
#include "log_capture.hpp"
#include "peal/proto/json.hpp"
#include "peal/runtime/address.hpp"

namespace peal::runtime {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using test::eventually;
using testing::HasSubstr;

tcp::socket connect_to(boost::asio::io_context& io, const std::string& address) {
  tcp::socket socket(io);
  const auto at = Address::parse(address);
  socket.connect({boost::asio::ip::make_address(at->host), at->port});
  return socket;
}

/// Everything that the listener answers to `request` until it closes.
std::string ask(const std::string& address, const std::string& request) {
  boost::asio::io_context io;
  tcp::socket socket = connect_to(io, address);
  boost::asio::write(socket, boost::asio::buffer(request));
  std::string answer;
  boost::system::error_code error;
  boost::asio::read(socket, boost::asio::dynamic_buffer(answer), error);
  return answer;
}

std::string get(const std::string& address, const std::string& path) {
  return ask(address, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    folder_ =
        std::filesystem::temp_directory_path() / ("peal-process-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    config_.name = "node-1";
    config_.internal_listen = "127.0.0.1:0";
    config_.ready_file = folder_ / "ready.json";
    config_.drain_time = 60s;
  }
  ~ProcessTest() override { std::filesystem::remove_all(folder_); }

  ProcessCallbacks callbacks() {
    ProcessCallbacks calls;
    calls.drain = [this] { ++drains_; };
    calls.hurry = [this] { ++hurries_; };
    calls.reload = [this] { ++reloads_; };
    calls.healthy = [this] { return healthy_.load(); };
    calls.ready = [this] { return std::string(ready_.load() ? "" : "no broker"); };
    calls.ready_members = [] { return std::string("\"listen\":\"127.0.0.1:1\""); };
    return calls;
  }
  void start() {
    process_ = std::make_unique<Process>(config_, probes_, Logger(capture_));
    ASSERT_TRUE(process_->start(callbacks()));
    running_ = std::jthread([this] { exit_code_ = process_->run(); });
  }
  int stop() {
    process_->drained();
    running_.join();
    return exit_code_;
  }
  std::string ready_file() const {
    std::ifstream in(config_.ready_file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path folder_;
  ProcessConfig config_;
  std::shared_ptr<test::LogCapture> capture_ = std::make_shared<test::LogCapture>();
  ProbeRegistry probes_;
  std::unique_ptr<Process> process_;
  std::atomic<int> drains_{0};
  std::atomic<int> hurries_{0};
  std::atomic<int> reloads_{0};
  std::atomic<bool> healthy_{true};
  std::atomic<bool> ready_{true};
  int exit_code_ = -1;
  std::jthread running_;
};

TEST_F(ProcessTest, AnswersWhatOperatorsAsk) {
  start();
  const std::string at = process_->internal_address();
  EXPECT_THAT(get(at, "/healthz"), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(get(at, "/readyz?verbose"), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(get(at, "/metrics"), HasSubstr("process_resident_memory_bytes"));
  EXPECT_THAT(get(at, "/version"), HasSubstr("\"name\":\"node-1\""));
  EXPECT_THAT(get(at, "/nothing"), HasSubstr("HTTP/1.1 404"));
  healthy_ = false;
  ready_ = false;
  EXPECT_THAT(get(at, "/healthz"), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(get(at, "/readyz"), HasSubstr("no broker"));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, TheReadyFileIsThereFromReadyToDrain) {
  std::ofstream(config_.ready_file) << "stale";
  ready_ = false;
  start();
  EXPECT_EQ(ready_file(), "");
  ASSERT_TRUE(eventually([&] { return capture_->said("not ready reason=no broker"); }));
  EXPECT_EQ(ready_file(), "");
  ready_ = true;
  ASSERT_TRUE(eventually([&] { return !ready_file().empty(); }));
  const std::string text = ready_file();
  JsonReader reader;
  EXPECT_TRUE(reader.validate(text)) << text;
  EXPECT_THAT(text, HasSubstr("\"pid\":" + std::to_string(getpid())));
  EXPECT_THAT(text, HasSubstr("\"internal\":\"" + process_->internal_address() + "\""));
  EXPECT_THAT(text, HasSubstr("\"listen\":\"127.0.0.1:1\""));
  EXPECT_EQ(stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(config_.ready_file));
}

TEST_F(ProcessTest, ASignalDrainsAndASecondOneHurries) {
  start();
  kill(getpid(), SIGHUP);
  ASSERT_TRUE(eventually([&] { return reloads_ == 1; }));
  kill(getpid(), SIGTERM);
  ASSERT_TRUE(eventually([&] { return drains_ == 1; }));
  EXPECT_TRUE(process_->draining());
  EXPECT_THAT(get(process_->internal_address(), "/readyz"), HasSubstr("draining"));
  EXPECT_THAT(get(process_->internal_address(), "/healthz"), HasSubstr("200"));
  EXPECT_EQ(hurries_, 0);
  kill(getpid(), SIGINT);
  ASSERT_TRUE(eventually([&] { return hurries_ == 1; }));
  EXPECT_EQ(drains_, 1);
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, DrainsWhenToldFromAnotherThread) {
  start();
  process_->begin_drain();
  ASSERT_TRUE(eventually([&] { return drains_ == 1; }));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, ABalancerSeesThatItLeavesBeforeItDrains) {
  config_.drain_delay = 60s;
  start();
  ASSERT_TRUE(eventually([&] { return !ready_file().empty(); }));
  kill(getpid(), SIGTERM);
  ASSERT_TRUE(eventually([&] { return process_->draining(); }));
  EXPECT_THAT(get(process_->internal_address(), "/readyz"), HasSubstr("503"));
  ASSERT_TRUE(eventually([&] { return ready_file().empty(); }));
  EXPECT_EQ(drains_, 0);
  kill(getpid(), SIGTERM);
  ASSERT_TRUE(eventually([&] { return hurries_ == 1; }));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, DrainsWhenTheDelayIsOver) {
  config_.drain_delay = 20ms;
  start();
  process_->begin_drain();
  ASSERT_TRUE(eventually([&] { return drains_ == 1; }));
  EXPECT_TRUE(capture_->said("leaving drain_delay_ms=20"));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, GivesUpOnWhoDoesNotHurry) {
  config_.drain_time = 0ms;
  start();
  process_->begin_drain();
  running_.join();
  EXPECT_EQ(exit_code_, 1);
  EXPECT_EQ(hurries_, 1);
  EXPECT_TRUE(capture_->said("gave up waiting"));
}

TEST_F(ProcessTest, HurriesByItselfWhenTheDrainTimeIsOver) {
  config_.drain_time = 0ms;
  start();
  process_->begin_drain();
  ASSERT_TRUE(eventually([&] { return hurries_ == 1; }));
  EXPECT_TRUE(capture_->said("drain_time is over"));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, APortInUseIsNamedWithTheReason) {
  start();
  ProcessConfig other = config_;
  other.ready_file.clear();
  other.internal_listen = process_->internal_address();
  ProbeRegistry probes;
  Process second(other, probes, Logger());
  const auto started = second.start({});
  ASSERT_TRUE(started.has_error());
  EXPECT_THAT(started.error().message,
              HasSubstr("internal_listen: cannot listen on " + other.internal_listen));
  EXPECT_THAT(started.error().message, HasSubstr("in use"));
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, ABadConfigIsRefusedAtStart) {
  const auto refused = [&](auto change) {
    ProcessConfig config;
    config.internal_listen = "off";
    change(config);
    ProbeRegistry probes;
    Process process(config, probes, Logger());
    const auto started = process.start({});
    return started ? std::string("accepted") : started.error().message;
  };
  EXPECT_EQ(refused([](ProcessConfig&) {}), "accepted");
  EXPECT_THAT(refused([](ProcessConfig& c) { c.name = "a/b"; }), HasSubstr("name:"));
  EXPECT_THAT(refused([](ProcessConfig& c) { c.name = std::string(65, 'a'); }), HasSubstr("name:"));
  EXPECT_THAT(refused([](ProcessConfig& c) { c.log_level = "loud"; }), HasSubstr("log.level:"));
  EXPECT_THAT(refused([](ProcessConfig& c) { c.log_format = "xml"; }), HasSubstr("log.format:"));
  EXPECT_THAT(refused([](ProcessConfig& c) { c.internal_listen = "8421"; }),
              HasSubstr("internal_listen:"));
  EXPECT_THAT(refused([](ProcessConfig& c) { c.ready_file = "/nonexistent/x"; }),
              HasSubstr("ready_file: cannot write /nonexistent/x: No such file"));
}

TEST_F(ProcessTest, AnEmptyNameBecomesHostAndPid) {
  ProcessConfig config;
  ASSERT_TRUE(complete(config));
  EXPECT_THAT(config.name, testing::EndsWith("-" + std::to_string(getpid())));
}

TEST_F(ProcessTest, TheListenerSurvivesWhatIsNotHttp) {
  start();
  const std::string at = process_->internal_address();
  EXPECT_THAT(ask(at, "garbage\r\n\r\n"), HasSubstr("400"));
  EXPECT_THAT(ask(at, "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
              HasSubstr("HTTP/1.1 4"));
  EXPECT_THAT(ask(at, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("405"));
  EXPECT_THAT(ask(at, "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n"),
              HasSubstr("HTTP/1.1 4"));
  EXPECT_THAT(ask(at, "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n"),
              HasSubstr("431"));
  const std::string head =
      ask(at, "HEAD /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, testing::EndsWith("\r\n\r\n"));
  const std::string two = ask(at,
                              "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(two, testing::AllOf(HasSubstr("ok\n"), HasSubstr("node-1"))) << "keep-alive";
  EXPECT_EQ(stop(), 0);
}

TEST_F(ProcessTest, ManySilentClientsDoNotKeepAnOperatorOut) {
  start();
  boost::asio::io_context io;
  std::vector<tcp::socket> silent;
  silent.reserve(100);
  for (int i = 0; i < 100; ++i)
    silent.push_back(connect_to(io, process_->internal_address()));
  ASSERT_TRUE(eventually([&] {
    return get(process_->internal_address(), "/healthz").find("200") != std::string::npos;
  }));
  EXPECT_EQ(stop(), 0);
}

}  // namespace
}  // namespace peal::runtime
