#include "disk/store_clock.hpp"

#include <gtest/gtest.h>

namespace peal::disk {
namespace {

using namespace std::chrono_literals;
constexpr StoreTime kHour = 1h;
const Steady kSteady{Steady::duration(5h)};

ClockReading reading(std::string boot_id, StoreTime boot, StoreTime wall) {
  return {std::move(boot_id), boot, wall};
}

TEST(StoreClock, BeginsWithTheWallClock) {
  const StoreClock clock({}, reading("a", 10s, 1000h), kSteady);
  EXPECT_EQ(clock.at(kSteady), StoreTime(1000h));
  EXPECT_EQ(clock.at(kSteady + 3s), StoreTime(1000h) + 3s);
  EXPECT_EQ(clock.steady(StoreTime(999h)), kSteady - 1h);
}

TEST(StoreClock, AJumpOfTheWallClockBetweenTwoRunsOnOneBootAgesNothing) {
  const StoreClock first({}, reading("a", 10s, 1000h), kSteady);
  const auto saved = first.saved(reading("a", 70s, 1000h + 60s), kSteady + 60s);
  for (const StoreTime wall : {StoreTime(1001h), StoreTime(999h), StoreTime(0)}) {
    const StoreClock second(saved, reading("a", 75s, wall), kSteady + 65s);
    EXPECT_EQ(second.at(kSteady + 65s), StoreTime(1000h) + 65s);
  }
}

TEST(StoreClock, OverARebootTheWallClockCountsButNeverBackwards) {
  const StoreClock first({}, reading("a", 10s, 1000h), kSteady);
  const auto saved = first.saved(reading("a", 70s, 1000h + 60s), kSteady + 60s);
  const StoreClock later(saved, reading("b", 5s, 1000h + 60s + kHour), kSteady);
  EXPECT_EQ(later.at(kSteady), StoreTime(1000h) + 60s + kHour);
  const StoreClock earlier(saved, reading("b", 5s, 0h), kSteady);
  EXPECT_EQ(earlier.at(kSteady), StoreTime(1000h) + 60s);
}

TEST(StoreClock, AClockThatWasSetRightDuringARunIsNotTakenForTimeThatPassed) {
  const StoreClock first({}, reading("a", 10s, 0h), kSteady);  // before the time was fetched
  const auto saved = first.saved(reading("a", 20s, 500'000h), kSteady + 10s);
  const StoreClock second(saved, reading("b", 5s, 500'000h + 30s), kSteady);
  EXPECT_EQ(second.at(kSteady), StoreTime(40s));
}

}  // namespace
}  // namespace peal::disk
