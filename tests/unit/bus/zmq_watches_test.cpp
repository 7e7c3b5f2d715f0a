// What is told again, and in which order, when links come, channels move and messages are lost.
#include "bus/zmq_watches.hpp"

#include <gtest/gtest.h>

namespace peal::bus {
namespace {

constexpr std::uint32_t kLink = 7;

/// The channels of a walk that are not told to broker 0 on that link; then they are.
std::string told(ZmqWatches& watches, std::uint32_t link = kLink, int most = 100) {
  std::string names;
  while (most > 0) {
    const auto step = watches.next();
    if (!step) break;
    if (step->watch.told_to(0, link) && !step->watch.again) continue;
    names += step->watch.channel;
    step->watch.told = link;
    step->watch.again = false;
    --most;
  }
  return names;
}

ZmqWatches three() {
  ZmqWatches watches(2);
  watches.add(0, {0, 1}, "a").recoverable = true;
  watches.add(0, {1, 1}, "b");
  watches.add(1, {0, 1}, "c").recoverable = true;
  return watches;
}

TEST(ZmqWatches, ANewLinkIsToldOfAll) {
  ZmqWatches watches = three();
  watches.rewind();
  EXPECT_EQ(told(watches), "abc");
  EXPECT_FALSE(watches.walking());
  watches.rewind();
  EXPECT_EQ(told(watches), "");
  watches.rewind();
  EXPECT_EQ(told(watches, kLink + 1), "abc");
}

TEST(ZmqWatches, ALossIsRepairedForThoseThatKeepALog) {
  ZmqWatches watches = three();
  watches.rewind();
  told(watches);
  watches.ask_again(1);
  watches.rewind();
  EXPECT_EQ(told(watches), "") << "another broker's link";
  watches.ask_again(0);
  watches.rewind();
  EXPECT_EQ(told(watches), "ac");
}

TEST(ZmqWatches, AfterALossTheBrokerStillHasWhatItWasTold) {
  ZmqWatches watches = three();
  watches.rewind();
  told(watches);
  watches.ask_again(0);
  EXPECT_TRUE(watches.find(0, {0, 1})->told_to(0, kLink)) << "or its end would never be said";
}

TEST(ZmqWatches, ALossDuringAWalkIsWalkedForFromTheFirstOn) {
  ZmqWatches watches = three();
  watches.rewind();
  EXPECT_EQ(told(watches, kLink, 2), "ab");
  watches.ask_again(0);
  watches.rewind();
  EXPECT_EQ(told(watches), "ac") << "what was lost may be a's, which has been told; c never was";
}

TEST(ZmqWatches, WithoutCreditTheWalkStaysWhereItIs) {
  ZmqWatches watches = three();
  watches.rewind();
  EXPECT_EQ(watches.next()->watch.channel, "a");
  watches.stay();
  EXPECT_EQ(watches.next()->watch.channel, "a");
  EXPECT_EQ(watches.next()->watch.channel, "b");
}

TEST(ZmqWatches, AnIndexUsedAgainIsAnotherWatch) {
  ZmqWatches watches = three();
  watches.find(0, {0, 1})->told = kLink;
  watches.remove(*watches.find(0, {0, 1}));
  EXPECT_EQ(watches.find(0, {0, 1}), nullptr);
  watches.add(0, {0, 2}, "d");
  EXPECT_EQ(watches.find(0, {0, 1}), nullptr);
  watches.rewind();
  EXPECT_EQ(told(watches), "dbc");
}

}  // namespace
}  // namespace peal::bus
