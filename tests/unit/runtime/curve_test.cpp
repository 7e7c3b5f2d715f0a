#include "peal/runtime/curve.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <zmq.hpp>

#include "eventually.hpp"
#include "log_capture.hpp"

namespace peal::runtime {
namespace {

using test::eventually;
using testing::HasSubstr;

std::string problem(CurveConfig config) {
  const auto result = complete(config);
  return result ? "" : result.error().message;
}

TEST(CurveConfigTest, ThePublicKeyFollowsFromTheSecretOne) {
  const CurveKeys keys = generate_curve_keys();
  CurveConfig config;
  config.secret_key = keys.secret_key;
  ASSERT_TRUE(complete(config));
  EXPECT_EQ(config.public_key, keys.public_key);
  EXPECT_TRUE(complete(config)) << "a completed one stays complete";
}

TEST(CurveConfigTest, WrongKeysAreNamed) {
  const CurveKeys keys = generate_curve_keys();
  const CurveKeys others = generate_curve_keys();
  const std::string s = keys.secret_key;
  EXPECT_EQ(problem({}), "");
  EXPECT_THAT(problem({"", "short", "", {}}), HasSubstr("curve.secret_key"));
  EXPECT_THAT(problem({"", std::string(40, '#'), "", {}}), HasSubstr("curve.secret_key"));
  EXPECT_THAT(problem({others.public_key, s, "", {}}), HasSubstr("does not belong"));
  EXPECT_THAT(problem({"", s, "x", {}}), HasSubstr("curve.server_key"));
  EXPECT_THAT(problem({"", s, "", {keys.public_key, std::string(40, '~')}}),
              HasSubstr("curve.allowed_keys"));
  EXPECT_THAT(problem({"", "", keys.public_key, {}}), HasSubstr("curve.secret_key is missing"));
  EXPECT_THAT(problem({"", "", "", {keys.public_key}}), HasSubstr("curve.secret_key is missing"));
}

TEST(CurveConfigTest, WhatOthersCanReachNeedsKeysOrInsecure) {
  CurveConfig none;
  CurveConfig some;
  some.secret_key = generate_curve_keys().secret_key;
  EXPECT_TRUE(require_curve("tcp://127.0.0.1:1", none, false, "control"));
  EXPECT_TRUE(require_curve("ipc:///tmp/x", none, false, "control"));
  EXPECT_TRUE(require_curve("tcp://0.0.0.0:1", none, true, "control"));
  EXPECT_TRUE(require_curve("tcp://0.0.0.0:1", some, false, "control"));
  const auto refused = require_curve("tcp://0.0.0.0:1", none, false, "control");
  ASSERT_TRUE(refused.has_error());
  EXPECT_THAT(refused.error().message,
              testing::AllOf(HasSubstr("control: tcp://0.0.0.0:1"), HasSubstr("insecure = true")));
}

class CurveTest : public testing::Test {
 protected:
  static CurveConfig complete_of(const CurveKeys& keys, const std::string& server_key) {
    return {keys.public_key, keys.secret_key, server_key, {}};
  }

  void serve(std::vector<std::string> allowed) {
    list_ = std::make_unique<ZapAllowList>(context_.handle(), std::move(allowed), Logger(capture_),
                                           probes_);
    ASSERT_TRUE(list_->start());
    ASSERT_TRUE(apply_curve_server(server_.handle(), complete_of(server_keys_, "")));
    server_.bind("tcp://127.0.0.1:*");
    endpoint_ = server_.get(zmq::sockopt::last_endpoint);
  }
  zmq::socket_t client(const CurveConfig& config) {
    zmq::socket_t socket(context_, zmq::socket_type::push);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::reconnect_ivl, 10);
    EXPECT_TRUE(apply_curve_client(socket.handle(), config));
    socket.connect(endpoint_);
    socket.send(zmq::str_buffer("hello"), zmq::send_flags::dontwait);
    return socket;
  }
  bool hears(int milliseconds) {
    server_.set(zmq::sockopt::rcvtimeo, milliseconds);
    zmq::message_t message;
    return server_.recv(message).has_value();
  }
  std::string metrics() const { return probes_.text(); }

  std::shared_ptr<test::LogCapture> capture_ = std::make_shared<test::LogCapture>();
  ProbeRegistry probes_;
  CurveKeys server_keys_ = generate_curve_keys();
  zmq::context_t context_;
  zmq::socket_t server_{context_, zmq::socket_type::pull};
  std::unique_ptr<ZapAllowList> list_;
  std::string endpoint_;
};

TEST_F(CurveTest, AListedClientComesIn) {
  const CurveKeys mine = generate_curve_keys();
  serve({generate_curve_keys().public_key, mine.public_key});
  const auto socket = client(complete_of(mine, server_keys_.public_key));
  EXPECT_TRUE(hears(60'000));
  EXPECT_THAT(metrics(), HasSubstr("peal_curve_admitted_total 1"));
}

TEST_F(CurveTest, AnUnlistedClientIsRefusedCountedAndLogged) {
  const CurveKeys mine = generate_curve_keys();
  const CurveKeys stranger = generate_curve_keys();
  serve({mine.public_key});
  const auto socket = client(complete_of(stranger, server_keys_.public_key));
  ASSERT_TRUE(eventually([&] { return capture_->said("key=" + stranger.public_key); }));
  EXPECT_THAT(metrics(), testing::Not(HasSubstr("peal_curve_refused_total 0")));
  EXPECT_FALSE(hears(50));
  const auto friendly = client(complete_of(mine, server_keys_.public_key));
  EXPECT_TRUE(hears(60'000)) << "others are unharmed";
}

TEST_F(CurveTest, NobodyIsListedNobodyComesIn) {
  serve({});
  const auto socket = client(complete_of(generate_curve_keys(), server_keys_.public_key));
  ASSERT_TRUE(eventually([&] { return capture_->said("refused a peer"); }));
  EXPECT_FALSE(hears(50));
}

TEST_F(CurveTest, PlainAndWronglyKeyedClientsGetNowhere) {
  const CurveKeys mine = generate_curve_keys();
  serve({mine.public_key});
  const auto plain = client({});
  const auto wrong = client(complete_of(mine, generate_curve_keys().public_key));
  EXPECT_FALSE(hears(200));
  const auto right = client(complete_of(mine, server_keys_.public_key));
  EXPECT_TRUE(hears(60'000));
}

TEST_F(CurveTest, ASecondHandlerInOneContextIsAnErrorAndStopsCleanly) {
  serve({});
  ZapAllowList second(context_.handle(), {}, Logger(), probes_);
  EXPECT_TRUE(second.start().has_error());
}

TEST(CurveClientTest, ConnectingNeedsTheServersKey) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::push);
  const CurveKeys keys = generate_curve_keys();
  const auto result =
      apply_curve_client(socket.handle(), {keys.public_key, keys.secret_key, "", {}});
  ASSERT_TRUE(result.has_error());
  EXPECT_THAT(result.error().message, HasSubstr("curve.server_key is missing"));
}

}  // namespace
}  // namespace peal::runtime
