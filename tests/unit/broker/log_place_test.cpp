// Restoring a log publication by publication, at exact positions.
#include "log_fixture.hpp"

namespace peal::broker {
namespace {

using test::kEpoch;
using test::kNext;

class LogPlaceTest : public test::LogFixture {
 protected:
  LogPlaceTest() : LogFixture(keeping(5)) {}
  static bus::PublishRequest at(std::uint64_t offset, std::string_view payload,
                                std::optional<std::uint64_t> floor = {}) {
    bus::PublishRequest made = request(payload);
    made.place = Position{kNext, {offset}};
    if (floor) made.place_floor = Offset{*floor};
    return made;
  }
};

TEST_F(LogPlaceTest, AnEmptyLogTakesTheEpochAndThePosition) {
  EXPECT_EQ(log.append(at(7, "a"), now).position, (Position{kNext, {7}}));
  EXPECT_EQ(log.before_last(), (Head{kNext, {6}, {6}}));
  EXPECT_EQ(log.append(at(8, "b"), now).position, (Position{kNext, {8}}));
  EXPECT_EQ(log.head(now), (Head{kNext, {8}, {6}}));
  EXPECT_EQ(read(Mode::forward, 0), "ab 0..8");
  EXPECT_FALSE(covered(5));
  EXPECT_TRUE(covered(6));
  EXPECT_EQ(append("c").position, (Position{kNext, {9}}));
}

TEST_F(LogPlaceTest, AnUntoldHoleIsNotCovered) {
  log.append(at(1, "a"), now);
  log.append(at(4, "b"), now);
  EXPECT_EQ(log.head(now), (Head{kNext, {4}, {3}}));
  EXPECT_EQ(read(Mode::forward, 0), "b 0..4");
}

TEST_F(LogPlaceTest, AHoleAboveTheToldFloorIsCovered) {
  log.append(at(3, "a", 2), now);
  log.append(at(6, "b", 2), now);
  EXPECT_EQ(log.head(now), (Head{kNext, {6}, {2}}));
  EXPECT_EQ(read(Mode::forward, 2), "ab 2..6");
  EXPECT_TRUE(covered(2));
  EXPECT_FALSE(covered(1));
}

TEST_F(LogPlaceTest, AFloorAtThePlaceRestoresOnlyThePosition) {
  EXPECT_EQ(log.append(at(10, "", 10), now).position, (Position{kNext, {10}}));
  EXPECT_EQ(log.size(), 0U);
  EXPECT_EQ(log.head(now), (Head{kNext, {10}, {10}}));
  EXPECT_EQ(append("a").position, (Position{kNext, {11}}));
}

TEST_F(LogPlaceTest, BytesKeepTheirPlace) {
  bus::PublishRequest made = at(5, "abc");
  made.expect_end = 100;
  log.append(made, now);
  EXPECT_EQ(log.meta().end_byte, 103U);
  bus::ReadRequest wanted = reading(Mode::bytes, 101);
  page = log.read(wanted, publications, now);
  EXPECT_EQ(page.publications[0].payload, "bc");
}

TEST_F(LogPlaceTest, ALogThatIsElsewhereRefuses) {
  append("a");
  EXPECT_EQ(refusal(at(2, "b")), ErrorCode::expectation_failed);
  bus::PublishRequest same = request("b");
  same.place = Position{kEpoch, {1}};
  EXPECT_EQ(refusal(same), ErrorCode::expectation_failed);
  same.place = Position{kEpoch, {2}};
  EXPECT_EQ(log.append(same, now).status, Status::ok);
}

TEST_F(LogPlaceTest, PlacesThatCannotBeAreRefused) {
  for (const bus::PublishRequest& wrong :
       {at(0, "a"), at(kOffsetMax.value + 1, "a"), at(3, "a", 4)}) {
    EXPECT_EQ(refusal(wrong), ErrorCode::command_invalid);
  }
  bus::PublishRequest both = at(1, "a");
  both.replace = true;
  EXPECT_EQ(refusal(both), ErrorCode::command_invalid);
  EXPECT_EQ(log.head(now), (Head{kEpoch, {0}, {0}}));
}

TEST_F(LogPlaceTest, ThePlacedRememberTheirProducers) {
  bus::PublishRequest made = at(5, "a");
  made.publication.source = "writer";
  made.publication.sequence = {1, 4};
  log.append(made, now);
  bus::PublishRequest again = made;
  again.place.reset();
  EXPECT_TRUE(log.append(again, now).duplicate);
}

}  // namespace
}  // namespace peal::broker
