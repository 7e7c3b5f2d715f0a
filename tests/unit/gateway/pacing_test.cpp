#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "server/balancer.hpp"
#include "session/pacer.hpp"

namespace peal::gateway {
namespace {

using namespace std::chrono_literals;

/// What is due at each tick, until the time is over.
std::vector<std::size_t> run(const Pacer::Plan& plan, std::chrono::milliseconds tick,
                             std::chrono::milliseconds until) {
  const Pacer::TimePoint start{};
  Pacer pacer(plan, start);
  std::vector<std::size_t> due;
  for (auto at = 0ms; at <= until; at += tick)
    due.push_back(pacer.due(start + at));
  return due;
}

std::size_t sum(const std::vector<std::size_t>& all) {
  std::size_t total = 0;
  for (const std::size_t each : all)
    total += each;
  return total;
}

TEST(Pacer, SpreadsEvenlyOverTheTime) {
  const auto due = run({.all = 1000, .time = 10s}, 100ms, 10s);
  EXPECT_EQ(sum(due), 1000U);
  EXPECT_LE(*std::ranges::max_element(due), 11U);
}

TEST(Pacer, DoesNotMakeUpForAStall) {
  const Pacer::TimePoint start{};
  Pacer pacer({.all = 1000, .time = 10s, .per_second_max = 120}, start);
  std::size_t before = 0;
  for (auto at = 0ms; at <= 2s; at += 20ms)
    before += pacer.due(start + at);
  EXPECT_NEAR(static_cast<double>(before), 200, 3);
  EXPECT_LE(pacer.due(start + 6s), 12U) << "a tenth of a second's part, not four seconds'";
  std::size_t second = 0;
  for (auto at = 6020ms; at <= 7000ms; at += 20ms)
    second += pacer.due(start + at);
  EXPECT_LE(second, 121U);
  EXPECT_FALSE(pacer.finished());
}

TEST(Comebacks, AreSpreadEvenlyAlsoWhenTheyAreFew) {
  EXPECT_NE(Comebacks(1s, 0).next(), Comebacks(1s, 1).next());
  Comebacks comebacks(1s, 0);
  for (const std::size_t count : {10U, 100U, 1000U}) {
    std::vector<std::size_t> of_tenth(10);
    for (std::size_t i = 0; i < count; ++i) {
      const auto delay = comebacks.next();
      ASSERT_GE(delay, 0ms);
      ASSERT_LT(delay, 1s);
      ++of_tenth[static_cast<std::size_t>(delay / 100ms)];
    }
    for (const std::size_t each : of_tenth)
      EXPECT_NEAR(static_cast<double>(each), static_cast<double>(count) / 10, 2);
  }
}

TEST(Pacer, OfFewIsNotSilent) {
  const auto due = run({.all = 3, .time = 30s, .per_second_max = 0.3}, 32ms, 31s);
  EXPECT_GE(sum(due), 2U);
  EXPECT_EQ(*std::ranges::max_element(due), 1U);
  EXPECT_EQ(sum(run({.all = 5, .time = 0ms}, 1ms, 1ms)), 5U);
}

TEST(Surplus, IsWhatIsClearlyAboveThePart) {
  EXPECT_EQ(surplus(100, 300, 4), 25U);
  EXPECT_EQ(surplus(0, 300, 4), 0U);
  EXPECT_EQ(surplus(75, 300, 4), 0U);
  EXPECT_EQ(surplus(87, 300, 4), 0U) << "a tenth and a few more are not worth a reconnect";
  EXPECT_EQ(surplus(300, 300, 1), 0U) << "nobody else is there";
  EXPECT_EQ(surplus(3, 4, 3), 0U);
}

}  // namespace
}  // namespace peal::gateway
