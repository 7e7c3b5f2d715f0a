// Lists of brokers: one without a name, or all by name; what is wrong is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peal/bus/zmq_bus.hpp"

namespace peal::bus {
namespace {

using testing::HasSubstr;

std::string error(const std::vector<std::string>& list) {
  const auto read = read_brokers(list, "bus.connect");
  return read ? "" : read.error().message;
}

TEST(BrokerList, OneNeedsNoName) {
  const auto one = read_brokers({"tcp://127.0.0.1:8422"}, "bus.connect");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->front().name, "");
  EXPECT_EQ(one->front().endpoint, "tcp://127.0.0.1:8422");
  EXPECT_EQ(read_brokers({"a=ipc:///run/x=y"}, "k")->front().endpoint, "ipc:///run/x=y");
}

TEST(BrokerList, SeveralAreInTheOrderOfTheirNames) {
  const auto three = read_brokers({"c=tcp://h:3", "a=tcp://h:1", "b=ipc://x"}, "bus.members");
  ASSERT_TRUE(three);
  std::string names;
  for (const BrokerAddress& broker : *three)
    names += broker.name;
  EXPECT_EQ(names, "abc");
  EXPECT_EQ(three->front().endpoint, "tcp://h:1");
}

TEST(BrokerList, WhatIsWrongIsSaid) {
  EXPECT_THAT(error({}), HasSubstr("bus.connect: no broker is named"));
  EXPECT_THAT(error({"tcp://h:1", "tcp://h:2"}), HasSubstr("'tcp://h:1' has no name"));
  EXPECT_THAT(error({"a=tcp://h:1", "tcp://h:2"}), HasSubstr("'tcp://h:2' has no name"));
  EXPECT_THAT(error({"a=tcp://h:1", "a=tcp://h:2"}), HasSubstr("two brokers are named a"));
  EXPECT_THAT(error({"=tcp://h:1"}), HasSubstr("has no name"));
  EXPECT_THAT(error({"localhost:1"}), HasSubstr("neither tcp://host:port nor"));
  EXPECT_THAT(error(std::vector<std::string>(kBrokersMax + 1, "a=tcp://h:1")),
              HasSubstr("more than 64"));
}

}  // namespace
}  // namespace peal::bus
