// Which broker serves a channel: every process ranks alike, evenly, and a change moves little.
#include "bus/ranks.hpp"

#include <gtest/gtest.h>

#include <map>

namespace peal::bus {
namespace {

constexpr int kChannels = 3000;

std::uint64_t channel(int number) {
  return stable_hash("job:" + std::to_string(number));
}

TEST(Ranks, ChannelsAreSharedEvenly) {
  const Ranks ranks({"a", "b", "c"});
  std::map<std::size_t, int> served;
  for (int i = 0; i < kChannels; ++i)
    ++served[ranks.owner(channel(i))];
  for (const auto& [broker, count] : served)
    EXPECT_NEAR(count, kChannels / 3.0, kChannels / 20.0) << broker;
  EXPECT_EQ(served.size(), 3U);
}

TEST(Ranks, TheOrderBeginsWithTheFirstAndHasEachOnce) {
  const Ranks ranks({"a", "b", "c"});
  for (int i = 0; i < 100; ++i) {
    auto order = ranks.order(channel(i));
    EXPECT_EQ(order.front(), ranks.owner(channel(i)));
    const std::size_t next = order[1];
    EXPECT_EQ(*ranks.first(channel(i), [&](std::size_t b) { return b != order.front(); }), next);
    EXPECT_TRUE(ranks.before(order[0], order[1], channel(i)));
    EXPECT_FALSE(ranks.before(order[2], order[1], channel(i)));
    std::ranges::sort(order);
    EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2}));
  }
}

TEST(Ranks, ABrokerMoreMovesOnlyItsOwn) {
  const Ranks three({"a", "b", "c"});
  const Ranks four({"a", "b", "c", "d"});
  int moved = 0;
  for (int i = 0; i < kChannels; ++i) {
    const std::size_t before = three.owner(channel(i));
    const std::size_t after = four.owner(channel(i));
    if (before != after) {
      EXPECT_EQ(after, 3U);
      ++moved;
    }
  }
  EXPECT_NEAR(moved, kChannels / 4.0, kChannels / 20.0);
}

TEST(Ranks, NobodyMayServe) {
  EXPECT_FALSE(Ranks({"a"}).first(1, [](std::size_t) { return false; }));
}

}  // namespace
}  // namespace peal::bus
