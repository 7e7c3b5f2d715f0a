// The client and a server that is none: it cuts replies in the middle, says garbage, or says more
// than it was asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "client_runner.hpp"

namespace peal::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using redis::Answer;
using redis::Outcome;
using testing::HasSubstr;

/// Greets as a Redis does; then what it says to each read is the test's choice.
class FakeRedis {
 public:
  explicit FakeRedis(asio::io_context& context)
      : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    accept();
  }
  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

  std::string after_greeting{};  ///< what it says to whatever comes then
  bool cut = false;              ///< and then it closes

 private:
  struct Guest {
    explicit Guest(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    std::array<char, 4096> input{};
    std::string output{};
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      read(std::make_shared<Guest>(std::move(socket)));
      accept();
    });
  }

  void read(const std::shared_ptr<Guest>& guest) {
    guest->socket.async_read_some(
        asio::buffer(guest->input),
        [this, guest](boost::system::error_code error, std::size_t bytes) {
          if (error) return;
          const std::string_view said(guest->input.data(), bytes);
          const bool greeting = said.find("INFO") != std::string_view::npos;
          const std::string info =
              "run_id:abc\r\nrole:master\r\ncluster_enabled:0\r\nloading:0\r\n";
          guest->output = greeting ? "$" + std::to_string(info.size()) + "\r\n" + info + "\r\n"
                                   : after_greeting;
          boost::system::error_code ignored;
          asio::write(guest->socket, asio::buffer(guest->output), ignored);
          if (!greeting && cut) return guest->socket.close();
          read(guest);
        });
  }

  tcp::acceptor acceptor_;
};

struct Broken {
  explicit Broken(std::string says, bool cut) : fake(fake_context) {
    fake.after_greeting = std::move(says);
    fake.cut = cut;
  }
  /// Both contexts take turns on this thread.
  bool run_until(ClientRunner& runner, const std::function<bool()>& condition) {
    return runner.run_until([&] {
      fake_context.restart();
      fake_context.poll();
      return condition();
    });
  }
  asio::io_context fake_context;
  FakeRedis fake;
};

void expect_complaint(const std::string& says, bool cut, std::string_view wanted) {
  SCOPED_TRACE(says);
  Broken broken(says, cut);
  // No probe comes in the way.
  ClientRunner runner({.addresses = {broken.fake.address()},
                       .command_timeout = std::chrono::milliseconds(300),
                       .probe_interval = std::chrono::seconds(600),
                       .probe_timeout = std::chrono::seconds(601),
                       .reply_bytes_max = 1000});
  ASSERT_TRUE(broken.run_until(runner, [&] { return !runner.connected.empty(); }));
  std::vector<Answer> answers;
  runner.client->command({.args = {"INCR", "n"}}, [&](const Answer& a) { answers.push_back(a); });
  ASSERT_TRUE(broken.run_until(runner, [&] { return !answers.empty(); }));
  EXPECT_EQ(answers[0].outcome, Outcome::unknown);
  EXPECT_THAT(answers[0].error, HasSubstr(std::string(wanted)));
  EXPECT_THAT(answers[0].error, HasSubstr(broken.fake.address()));
  EXPECT_TRUE(broken.run_until(runner, [&] { return runner.capture->said(wanted); }));
}

TEST(RedisBroken, ACutInMidReplyIsUnknown) {
  expect_complaint("$10\r\nabc", true, "closed the connection");
  expect_complaint("", true, "closed the connection");
}

TEST(RedisBroken, GarbageIsNoReply) {
  expect_complaint("HTTP/1.1 200 OK\r\n\r\n", false, "doesn't speak Redis's protocol");
  expect_complaint(":x\r\n", false, "doesn't speak Redis's protocol");
}

TEST(RedisBroken, AReplyThatNeverEndsIsGivenUp) {
  expect_complaint("$10\r\nabc", false, "didn't answer within 0.3 s");
  expect_complaint("$5000\r\n" + std::string(2000, 'x'), false, "redis.reply_bytes_max");
}

TEST(RedisBroken, MoreAnswersThanQuestionsAreNotBelieved) {
  Broken broken(":1\r\n:2\r\n", false);
  ClientRunner runner({.addresses = {broken.fake.address()},
                       .probe_interval = std::chrono::seconds(600),
                       .probe_timeout = std::chrono::seconds(601)});
  ASSERT_TRUE(broken.run_until(runner, [&] { return !runner.connected.empty(); }));
  std::vector<Answer> answers;
  runner.client->command({.args = {"INCR", "n"}}, [&](const Answer& a) { answers.push_back(a); });
  ASSERT_TRUE(broken.run_until(runner, [&] { return !runner.disconnected.empty(); }));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].reply.integer, 1);
  EXPECT_THAT(runner.disconnected[0], HasSubstr("unasked"));
}

}  // namespace
}  // namespace peal::test
