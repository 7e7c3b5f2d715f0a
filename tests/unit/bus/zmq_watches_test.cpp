// What is watched again, and in which order, when links come and messages are lost.
#include "bus/zmq_watches.hpp"

#include <gtest/gtest.h>

namespace peal::bus {
namespace {

std::string walked(ZmqWatches& watches, int most = 100) {
  std::string names;
  for (int i = 0; i < most && watches.walking(); ++i) {
    if (const auto watch = watches.next()) names += watch->channel;
  }
  return names;
}

ZmqWatches three() {
  ZmqWatches watches(2);
  watches.add(0, {0, 1}, "a");
  watches.add(0, {1, 1}, "b");
  watches.add(1, {0, 1}, "c");
  watches.answered(0, {0, 1}, true);
  watches.answered(1, {0, 1}, true);
  return watches;
}

TEST(ZmqWatches, WalksAllOrThoseThatKeepALog) {
  ZmqWatches watches = three();
  watches.rewind(false);
  EXPECT_EQ(walked(watches), "abc");
  watches.rewind_recoverable();
  EXPECT_EQ(walked(watches), "ac");
  EXPECT_FALSE(watches.walking());
}

TEST(ZmqWatches, ALossDuringAWalkIsWalkedForFromTheFirstOn) {
  ZmqWatches watches = three();
  watches.rewind_recoverable();
  EXPECT_EQ(walked(watches, 1), "a");
  watches.rewind_recoverable();
  EXPECT_EQ(walked(watches), "ac") << "what was lost may be a's, which has been asked for";
  watches.rewind(false);
  EXPECT_EQ(walked(watches, 2), "ab");
  watches.rewind_recoverable();
  EXPECT_EQ(walked(watches), "cac") << "a new link's watches are all made first";
}

TEST(ZmqWatches, ALinkThatEndsEndsTheWalk) {
  ZmqWatches watches = three();
  watches.rewind(false);
  watches.rewind_recoverable();
  watches.stop();
  EXPECT_EQ(walked(watches), "");
  watches.rewind(false);
  EXPECT_EQ(walked(watches), "abc");
}

}  // namespace
}  // namespace peal::bus
