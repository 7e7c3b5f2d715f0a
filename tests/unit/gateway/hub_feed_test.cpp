// Recoverable channels through a shard: duplicates, holes, resets, and what a subscriber sees of
// them.
#include <gtest/gtest.h>

#include "eventually.hpp"
#include "fake_bus.hpp"
#include "local_gateway.hpp"
#include "socket_client.hpp"

namespace peal::test {
namespace {

const Epoch kEpoch = *Epoch::parse("abcdefgh");
const Epoch kNext = *Epoch::parse("abcdefgi");

class HubFeed : public testing::Test {
 protected:
  HubFeed() {
    auto bus = std::make_unique<FakeBus>();
    bus_ = bus.get();
    gateway_.bus = std::move(bus);
    gateway_.start();
    client_ = std::make_unique<SocketClient>(gateway_.port());
    client_->upgrade();
    client_->send_text(R"({"id":1,"action":"subscribe","payload":{"channel":"a"}})");
    EXPECT_TRUE(eventually([&] { return bus_->watches().size() == 1; }));
    alias_ = bus_->watches()[0].alias;
    bus_->answer_watch(alias_, Head{kEpoch, {5}, {0}});
    EXPECT_EQ(client_->receive(),
              R"({"id":1,"result":{"channel":"a","epoch":"abcdefgh","offset":5}})");
  }
  static std::string message(int offset, const std::string& more = "") {
    return R"({"event":"message","channel":"a","offset":)" + std::to_string(offset) + more +
           R"(,"message":)" + std::to_string(offset) + "}";
  }
  void deliver(std::uint64_t offset) {
    bus_->deliver(alias_, std::to_string(offset), kEpoch, offset);
  }
  bool has_read(std::size_t count) {
    return eventually([&] { return bus_->reads().size() == count; });
  }
  void answer_read(Head head, std::vector<std::uint64_t> offsets, std::uint64_t to) {
    bus_->answer_read(bus_->reads().back(), head, offsets, to);
  }
  LocalGateway gateway_;
  FakeBus* bus_;
  std::unique_ptr<SocketClient> client_;
  bus::Alias alias_;
};

constexpr auto kSoon = std::chrono::milliseconds(50);

TEST_F(HubFeed, WhatComesTwiceGoesOutOnce) {
  deliver(6);
  deliver(6);
  deliver(5);
  deliver(7);
  EXPECT_EQ(client_->receive(), message(6));
  EXPECT_EQ(client_->receive(), message(7));
}

TEST_F(HubFeed, AHoleIsReadBeforeAnythingAboveItGoesOut) {
  deliver(6);
  deliver(8);
  deliver(9);
  EXPECT_EQ(client_->receive(), message(6));
  ASSERT_TRUE(has_read(1));
  EXPECT_EQ(bus_->reads()[0].after, 6u);
  EXPECT_TRUE(client_->quiet_for(kSoon));
  answer_read({kEpoch, {9}, {0}}, {7, 8, 9}, 9);
  deliver(10);
  for (int offset = 7; offset <= 10; ++offset)
    EXPECT_EQ(client_->receive(), message(offset));
  EXPECT_EQ(bus_->reads().size(), 1u);
}

TEST_F(HubFeed, AHoleLongerThanAPageIsReadPageByPage) {
  deliver(9);
  ASSERT_TRUE(has_read(1));
  answer_read({kEpoch, {9}, {0}}, {6, 7}, 7);
  ASSERT_TRUE(has_read(2));
  EXPECT_EQ(bus_->reads()[1].after, 7u);
  answer_read({kEpoch, {9}, {0}}, {8, 9}, 9);
  for (int offset = 6; offset <= 9; ++offset)
    EXPECT_EQ(client_->receive(), message(offset));
}

TEST_F(HubFeed, HolesInsideAPageAreSaidToBeNone) {
  deliver(9);
  ASSERT_TRUE(has_read(1));
  answer_read({kEpoch, {10}, {0}}, {6, 9}, 10);
  EXPECT_EQ(client_->receive(), message(6));
  EXPECT_EQ(client_->receive(), message(9, R"(,"after":8)"));
  EXPECT_EQ(client_->receive(), R"({"event":"position","channel":"a","offset":10})");
}

TEST_F(HubFeed, AHeadThatMovedIsRead) {
  bus_->answer_watch(alias_, Head{kEpoch, {5}, {0}});  // re-watched, nothing moved
  bus_->answer_watch(alias_, Head{kEpoch, {6}, {0}});
  ASSERT_TRUE(has_read(1));
  answer_read({kEpoch, {6}, {0}}, {6}, 6);
  EXPECT_EQ(client_->receive(), message(6));
}

TEST_F(HubFeed, AnotherEpochIsAReset) {
  bus_->answer_watch(alias_, Head{kNext, {3}, {0}});
  EXPECT_EQ(client_->receive(), R"({"event":"reset","channel":"a","epoch":"abcdefgi","offset":3})");
  bus_->deliver(alias_, "4", kNext, 4);
  EXPECT_EQ(client_->receive(), message(4));
  bus_->deliver(alias_, "1", kEpoch, 1);
  EXPECT_NE(client_->receive().find(R"("event":"reset")"), std::string::npos);
  EXPECT_EQ(gateway_.metric("peal_feed_resets_total"), 2);
}

TEST_F(HubFeed, AHoleThatWasTrimmedMeanwhileIsAReset) {
  deliver(9);
  ASSERT_TRUE(has_read(1));
  answer_read({kEpoch, {9}, {7}}, {8, 9}, 9);
  EXPECT_EQ(client_->receive(), R"({"event":"reset","channel":"a","epoch":"abcdefgh","offset":9})");
  deliver(10);
  EXPECT_EQ(client_->receive(), message(10));
}

}  // namespace
}  // namespace peal::test
