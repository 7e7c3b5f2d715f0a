// Epochs that brokers can compare: by time, never twice, always above what was seen.
#include "peal/broker/epoch_source.hpp"

#include <gtest/gtest.h>

#include <set>

namespace peal::broker {
namespace {

constexpr std::uint64_t kNow = 1'800'000'000'000;
const Epoch kLast = *Epoch::parse("zzzzzzzz");

TEST(EpochSource, LaterIsHigherAlsoWhenTheClockGoesBack) {
  std::uint64_t clock = kNow;
  EpochSource source = EpochSource::ordered([&] { return clock; }, 0, 1);
  Epoch before = source.next();
  for (const std::uint64_t time : {kNow, kNow, kNow + 1, kNow - 3'600'000, kNow + 5}) {
    clock = time;
    const Epoch next = source.next();
    EXPECT_GT(next, before);
    before = next;
  }
}

TEST(EpochSource, ANewLifeIsAboveTheOneBefore) {
  EpochSource old = EpochSource::ordered([] { return kNow; }, 1, 3);
  Epoch last = old.next();
  for (int i = 0; i < 9'999; ++i)
    last = old.next();
  // 42 a millisecond: these took it 240 ms ahead.
  EpochSource next = EpochSource::ordered([] { return kNow + 250; }, 1, 3);
  EXPECT_GT(next.next(), last);
}

TEST(EpochSource, BrokersNeverBeginTheSameEpoch) {
  std::set<Epoch> all;
  std::vector<EpochSource> sources;
  for (std::uint32_t i = 0; i < 3; ++i)
    sources.push_back(EpochSource::ordered([] { return kNow; }, i, 3));
  const Epoch seen = *Epoch::parse("yyyyyyyy");
  for (int i = 0; i < 1000; ++i) {
    for (EpochSource& source : sources) {
      EXPECT_TRUE(all.insert(source.next()).second);
    }
  }
  for (EpochSource& source : sources)
    EXPECT_TRUE(all.insert(source.above(seen)).second);
}

TEST(EpochSource, AboveOneThatIsAheadOfTheClockNoneIsGivenTwice) {
  const Epoch ahead = *Epoch::parse("x0000000");
  std::set<Epoch> all;
  for (std::uint64_t life = 0; life < 10; ++life) {
    EpochSource source = EpochSource::ordered([&] { return kNow + life; }, 2, 3);
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(all.insert(source.above(ahead)).second) << "life " << life;
  }
}

TEST(EpochSource, AboveWhatWasSeen) {
  EpochSource source = EpochSource::ordered([] { return kNow; }, 2, 3);
  const Epoch first = source.next();
  EXPECT_GT(source.above(first), first);
  const Epoch ahead = *Epoch::parse("x0000000");
  const Epoch above = source.above(ahead);
  EXPECT_GT(above, ahead);
  EXPECT_LT(source.next(), ahead) << "one channel's clock that ran ahead is that channel's alone";
  EXPECT_NE(source.above(kLast), kLast);
}

TEST(EpochSource, AnyNumbersWillDo) {
  EpochSource source([n = std::uint64_t{0}]() mutable { return n += 61; });
  EXPECT_EQ(source.next().view(), "0000000z");
  EXPECT_EQ(source.next().view(), "0000001y");
  EpochSource copy = source;
  EXPECT_EQ(copy.next().view(), "0000002x");
  EXPECT_EQ(source.next().view(), "0000003w") << "a copy draws from the same source";
}

}  // namespace
}  // namespace peal::broker
