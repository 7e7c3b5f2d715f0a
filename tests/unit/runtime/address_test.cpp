#include "peal/runtime/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peal::runtime {
namespace {

TEST(AddressTest, ReadsHostAndPort) {
  const auto plain = Address::parse("127.0.0.1:8420");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, 8420);
  EXPECT_EQ(plain->to_string(), "127.0.0.1:8420");
  const auto six = Address::parse("[::1]:0");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->to_string(), "[::1]:0");
  EXPECT_EQ(Address::parse("*:1")->host, "0.0.0.0");
}

TEST(AddressTest, RefusesEverythingElseAndNamesIt) {
  for (const char* text : {"", ":", ":1", "host", "host:", "host:x", "host:-1", "host:65536",
                           "::1:80", "[::1]", "[]:1", "http://x:1", "a b:1", "1:2:3", "host:1 "}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address.has_error()) << text;
    EXPECT_THAT(address.error().message, testing::HasSubstr(text));
  }
}

TEST(AddressTest, KnowsLoopback) {
  EXPECT_TRUE(Address::parse("127.1.2.3:1")->loopback());
  EXPECT_TRUE(Address::parse("[::1]:1")->loopback());
  EXPECT_TRUE(Address::parse("localhost:1")->loopback());
  EXPECT_FALSE(Address::parse("0.0.0.0:1")->loopback());
  EXPECT_FALSE(Address::parse("192.168.0.1:1")->loopback());
}

TEST(AddressTest, KnowsWhichEndpointsAreReachableFromOutside) {
  for (const char* endpoint : {"ipc:///tmp/x", "inproc://x", "tcp://127.0.0.1:1", "tcp://[::1]:1",
                               "tcp://localhost:*", "tcp://lo:1"}) {
    EXPECT_FALSE(reachable_from_outside(endpoint)) << endpoint;
  }
  for (const char* endpoint : {"tcp://*:1", "tcp://0.0.0.0:1", "tcp://broker:8422", "tcp://eth0:1",
                               "tcp://127.example.org:1", "tcp://127.0.0.1:0;10.0.0.1:8422"}) {
    EXPECT_TRUE(reachable_from_outside(endpoint)) << endpoint;
  }
}

}  // namespace
}  // namespace peal::runtime
