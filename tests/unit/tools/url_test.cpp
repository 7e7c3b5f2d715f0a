#include "url.hpp"

#include <gtest/gtest.h>

namespace peal::cli {
namespace {

TEST(Url, has_a_scheme_a_host_a_port_and_a_path) {
  auto url = parse_url("wss://peal.example:9443/live?x=1");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "peal.example");
  EXPECT_EQ(url->port, "9443");
  EXPECT_EQ(url->path, "/live");
  EXPECT_EQ(url->authority(), "peal.example:9443");
}

TEST(Url, what_is_left_out_is_the_usual) {
  EXPECT_EQ(parse_url("127.0.0.1:8420")->port, "8420");
  EXPECT_EQ(parse_url("http://a")->port, "80");
  EXPECT_EQ(parse_url("https://a")->authority(), "a");
  EXPECT_EQ(parse_url("ws://[::1]:8420/ws")->host, "::1");
  EXPECT_EQ(parse_url("ws://[::1]:8420/ws")->authority(), "[::1]:8420");
}

TEST(Url, what_cannot_be_one_is_refused_as_wrong_usage) {
  for (const char* text : {"", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a:b",
                           "http://u@a", "http://[::1", "http://[::1]x"}) {
    auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().exit, Exit::usage);
  }
}

TEST(PercentEncoded, leaves_only_unreserved_characters) {
  EXPECT_EQ(percent_encoded("room:1/a b~_.-\xC3\xA9"), "room%3A1%2Fa%20b~_.-%C3%A9");
}

}  // namespace
}  // namespace peal::cli
