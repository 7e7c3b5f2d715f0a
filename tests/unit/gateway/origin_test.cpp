#include "session/origin.hpp"

#include <gtest/gtest.h>

namespace peal::gateway {
namespace {

TEST(OriginPolicy, TakesThePagesOfItsOwnHostAndNoOthers) {
  const OriginPolicy policy({{}, {}, "127.0.0.1:8420"});
  EXPECT_FALSE(policy.check_origin("", "localhost:8420"));
  EXPECT_FALSE(policy.check_origin("http://localhost:8420", "localhost:8420"));
  EXPECT_FALSE(policy.check_origin("https://Chat.Example", "chat.example"));
  EXPECT_FALSE(policy.check_origin("https://chat.example", "chat.example:443"));
  for (const std::string_view origin : {"http://evil.example", "null", "http://localhost:8421",
                                        "http://localhost", "http://localhost:8420.evil.example",
                                        "http://", "file://localhost:8420", "localhost:8420"}) {
    const auto error = policy.check_origin(origin, "localhost:8420");
    ASSERT_TRUE(error) << origin;
    EXPECT_EQ(error->code, ErrorCode::origin_refused);
  }
}

TEST(OriginPolicy, TakesExactlyTheListedOrigins) {
  const OriginPolicy policy({{"https://app.example"}, {}, "127.0.0.1:8420"});
  EXPECT_FALSE(policy.check_origin("https://app.example", "peal.example"));
  EXPECT_TRUE(policy.cross_origin_allowed("https://app.example", "peal.example"));
  EXPECT_FALSE(policy.cross_origin_allowed("https://peal.example", "peal.example"));
  for (const std::string_view origin : {"http://app.example", "https://app.example:8443",
                                        "https://sub.app.example", "https://app.example.evil"}) {
    EXPECT_TRUE(policy.check_origin(origin, "peal.example")) << origin;
  }
}

TEST(OriginPolicy, TakesLoopbackNamesAndItsOwnAddressAsHost) {
  const OriginPolicy local({{}, {}, "10.1.2.3:8420"});
  for (const std::string_view host :
       {"localhost", "LOCALHOST:9", "127.0.0.1:8420", "127.1.2.3", "[::1]:8420", "10.1.2.3:8420"}) {
    EXPECT_FALSE(local.check_host(host)) << host;
  }
  for (const std::string_view host : {"", "10.1.2.4", "evil.example", "127.evil.example", "[::2]",
                                      "localhost.evil.example", "[::1"}) {
    const auto error = local.check_host(host);
    ASSERT_TRUE(error) << host;
    EXPECT_EQ(error->code, ErrorCode::host_refused);
  }
  const OriginPolicy everywhere({{}, {}, "0.0.0.0:8420"});
  EXPECT_FALSE(everywhere.check_host("192.168.1.7:8420"));
  EXPECT_FALSE(everywhere.check_host("[fe80::1]:8420"));
  EXPECT_TRUE(everywhere.check_host("evil.example"));
}

TEST(OriginPolicy, TakesExactlyTheListedHosts) {
  const OriginPolicy policy({{}, {"app.example", "other.example:8443"}, "0.0.0.0:8420"});
  EXPECT_FALSE(policy.check_host("App.Example"));
  EXPECT_FALSE(policy.check_host("app.example:1234"));
  EXPECT_FALSE(policy.check_host("other.example:8443"));
  EXPECT_TRUE(policy.check_host("other.example"));
  EXPECT_TRUE(policy.check_host("localhost"));
}

TEST(OriginPolicy, RefusesListsThatAreNotExact) {
  EXPECT_FALSE(OriginPolicy::validate(
      {{"https://app.example", "http://localhost:3000"}, {"a.example:1"}, ""}));
  for (const std::string origin :
       {"*", "https://*.example", "app.example", "https://app.example/", ""}) {
    const auto error = OriginPolicy::validate({{origin}, {}, ""});
    ASSERT_TRUE(error) << origin;
    EXPECT_NE(error->message.find("allowed_origins"), std::string::npos);
  }
  EXPECT_TRUE(OriginPolicy::validate({{}, {"*"}, ""}));
  EXPECT_TRUE(OriginPolicy::validate({{}, {""}, ""}));
}

}  // namespace
}  // namespace peal::gateway
