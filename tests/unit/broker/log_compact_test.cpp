// Of each key only the last publication is kept.
#include "log_fixture.hpp"

namespace peal::broker {
namespace {

using test::kEpoch;

class LogCompactTest : public test::LogFixture {
 protected:
  LogCompactTest() : LogFixture(compacting()) {}
  static ChannelOptions compacting() {
    ChannelOptions options = keeping(5);
    options.compact = true;
    return options;
  }
};

TEST_F(LogCompactTest, TheOlderPublicationOfAKeyGoesAndTheFloorStays) {
  append("a", "x");
  append("b", "y");
  append("c", "x");
  EXPECT_EQ(log.size(), 2U);
  EXPECT_EQ(read(Mode::forward, 0), "bc 0..3");
  EXPECT_EQ(read(Mode::reverse, 0), "cb 0..3");
  EXPECT_EQ(log.head(now), (Head{kEpoch, {3}, {0}}));
  EXPECT_TRUE(covered(0));
}

TEST_F(LogCompactTest, AKeyThatIsWrittenForEverTakesOnePlace) {
  append("a", "quiet");
  for (int i = 0; i < 1000; ++i)
    append("b", "busy");
  EXPECT_EQ(log.size(), 2U);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {1001}, {0}}));
  EXPECT_LT(log.bytes(), 4096U);
  EXPECT_EQ(read(Mode::forward, 0), "ab 0..1001");
}

TEST_F(LogCompactTest, PublicationsWithoutAKeyStay) {
  append("a");
  append("b");
  EXPECT_EQ(read(Mode::forward, 0), "ab 0..2");
}

TEST_F(LogCompactTest, ADeletionIsKeptLikeAValue) {
  append("a", "x");
  log.append(deletion("x"), now);
  EXPECT_EQ(log.size(), 1U);
  read(Mode::state, 0);
  ASSERT_EQ(page.publications.size(), 1U);
  EXPECT_EQ(page.publications[0].kind, Kind::deletion);
  now += std::chrono::seconds(10);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {2}, {2}}));
}

TEST_F(LogCompactTest, TheLastOfAKeyRaisesTheFloorWhenItGoes) {
  append("a", "x");
  append("b", "x");
  for (const char* key : {"1", "2", "3", "4", "5"})
    append(key, key);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {7}, {2}}));
  EXPECT_FALSE(covered(1));
  EXPECT_TRUE(covered(2));
}

}  // namespace
}  // namespace peal::broker
