#include "io/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace peal::gateway {
namespace {

std::vector<std::uint32_t> fired(TimerWheel& wheel, TimerWheel::Tick now) {
  std::vector<std::uint32_t> all;
  wheel.advance(now, [&](std::uint32_t index) { all.push_back(index); });
  return all;
}

TEST(TimerWheel, FiresOnceWhenDueAndNotBefore) {
  TimerWheel wheel;
  wheel.schedule(3, 10);
  EXPECT_TRUE(fired(wheel, 9).empty());
  EXPECT_EQ(fired(wheel, 10), std::vector<std::uint32_t>{3});
  EXPECT_TRUE(fired(wheel, 2000).empty());
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheel, KeepsWhatIsMoreThanOneRoundAway) {
  TimerWheel wheel;
  wheel.schedule(1, 5 + 3 * TimerWheel::kSlots);
  EXPECT_TRUE(fired(wheel, 5 + 3 * TimerWheel::kSlots - 1).empty());
  EXPECT_EQ(fired(wheel, 5 + 3 * TimerWheel::kSlots).size(), 1u);
}

TEST(TimerWheel, MayScheduleAndCancelWhileFiring) {
  TimerWheel wheel;
  wheel.schedule(1, 4);
  wheel.schedule(2, 4);
  std::vector<std::uint32_t> all;
  wheel.advance(8, [&](std::uint32_t index) {
    all.push_back(index);
    wheel.cancel(index == 1 ? 2 : 1);
    if (index != 7) wheel.schedule(7, 6);
  });
  ASSERT_EQ(all.size(), 2u);  // one of the two, and what it scheduled
  EXPECT_EQ(all[1], 7u);
}

TEST(TimerWheel, AgreesWithASimpleModel) {
  std::mt19937 random(20261121);
  TimerWheel wheel;
  std::map<std::uint32_t, TimerWheel::Tick> model;
  TimerWheel::Tick now = 0;
  for (int step = 0; step < 20000; ++step) {
    const auto index = static_cast<std::uint32_t>(random() % 50);
    switch (random() % 3) {
      case 0: {
        const TimerWheel::Tick due = now + 1 + random() % 1500;
        wheel.schedule(index, due);
        model[index] = due;
        break;
      }
      case 1:
        wheel.cancel(index);
        model.erase(index);
        break;
      default: {
        now += random() % 40;
        std::map<std::uint32_t, TimerWheel::Tick> expected;
        std::erase_if(model, [&](const auto& entry) {
          if (entry.second > now) return false;
          expected.insert(entry);
          return true;
        });
        auto got = fired(wheel, now);
        ASSERT_EQ(got.size(), expected.size()) << "at step " << step;
        for (const std::uint32_t one : got)
          ASSERT_TRUE(expected.contains(one));
      }
    }
    ASSERT_EQ(wheel.size(), model.size());
  }
}

TEST(TimerWheel, TellsHowLongNothingIsDue) {
  TimerWheel wheel;
  EXPECT_EQ(wheel.ticks_to_next(0, 15), 15u);
  wheel.schedule(1, 7);
  EXPECT_EQ(wheel.ticks_to_next(2, 15), 5u);
}

}  // namespace
}  // namespace peal::gateway
