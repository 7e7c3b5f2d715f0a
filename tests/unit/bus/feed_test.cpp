#include "peal/bus/feed.hpp"

#include <gtest/gtest.h>

namespace peal::bus {
namespace {

const Epoch kEpoch = *Epoch::parse("abcdEFG1");
const Epoch kOther = *Epoch::parse("abcdEFG2");
using Step = Feed::Step;

TEST(Feed, DeliversWhatComesNextAndDropsWhatWasSeen) {
  Feed feed(Head{kEpoch, {10}, {0}});
  EXPECT_EQ(feed.on_publication(kEpoch, {10}), Step::drop);
  EXPECT_EQ(feed.on_publication(kEpoch, {11}), Step::deliver);
  EXPECT_EQ(feed.on_publication(kEpoch, {11}), Step::drop);
  EXPECT_EQ(feed.on_publication(kEpoch, {12}), Step::deliver);
  EXPECT_EQ(feed.next(), Offset{13});
}

TEST(Feed, AHoleStopsDeliveryUntilAPageHasClosedIt) {
  Feed feed(Head{kEpoch, {1}, {0}});
  EXPECT_EQ(feed.on_publication(kEpoch, {4}), Step::hole);
  EXPECT_EQ(feed.on_publication(kEpoch, {5}), Step::hole);
  EXPECT_EQ(feed.next(), Offset{2});
  feed.advance({5});
  EXPECT_EQ(feed.on_publication(kEpoch, {5}), Step::drop);
  EXPECT_EQ(feed.on_publication(kEpoch, {6}), Step::deliver);
}

TEST(Feed, APageThatCoversLessThanWasSeenTakesNothingBack) {
  Feed feed(Head{kEpoch, {9}, {0}});
  feed.advance({5});
  EXPECT_EQ(feed.next(), Offset{10});
}

TEST(Feed, AnotherEpochIsAReset) {
  Feed feed(Head{kEpoch, {9}, {0}});
  EXPECT_EQ(feed.on_publication(kOther, {10}), Step::reset);
  EXPECT_EQ(feed.on_head({kOther, {9}, {0}}), Step::reset);
  EXPECT_EQ(feed.next(), Offset{10});
  feed.restart({kOther, {3}, {0}});
  EXPECT_EQ(feed.on_publication(kOther, {4}), Step::deliver);
}

TEST(Feed, AHeadSaysWhetherTheMissingPartCanBeRead) {
  Feed feed(Head{kEpoch, {9}, {0}});
  EXPECT_EQ(feed.on_head({kEpoch, {9}, {9}}), Step::drop);
  EXPECT_EQ(feed.on_head({kEpoch, {8}, {0}}), Step::drop);
  EXPECT_EQ(feed.on_head({kEpoch, {20}, {9}}), Step::hole);
  EXPECT_EQ(feed.on_head({kEpoch, {20}, {10}}), Step::reset);
}

}  // namespace
}  // namespace peal::bus
