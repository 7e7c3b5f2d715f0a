#include "peal/proto/position.hpp"

#include <gtest/gtest.h>

#include "peal/proto/publication.hpp"

namespace peal {
namespace {

TEST(EpochTest, IsEightLettersOrDigits) {
  ASSERT_TRUE(Epoch::parse("0aZ9bY8c"));
  EXPECT_EQ(Epoch::parse("0aZ9bY8c")->view(), "0aZ9bY8c");
  for (const char* text : {"", "0aZ9bY8", "0aZ9bY8cd", "0aZ9bY8-", "0aZ9bY8 ", "0aZ9b\xc3\xa9z"}) {
    EXPECT_FALSE(Epoch::parse(text)) << text;
  }
}

TEST(PositionTest, SurvivesTheRoundTrip) {
  for (const char* text : {"abcdefgh-0", "abcdefgh-1", "ABCDEFGH-9007199254740991"}) {
    const auto position = Position::parse(text);
    ASSERT_TRUE(position) << text;
    EXPECT_EQ(position->to_string(), text);
  }
}

TEST(PositionTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "-", "abcdefgh", "abcdefgh-", "abcdefgh-x", "abcdefgh--1", "abcdefgh-+1", "abcdefgh-01",
        "abcdefgh- 1", "abcdefgh-1 ", "abcdefg-1", "abcdefghi-1", "abcdefgh-9007199254740992",
        "abcdefgh-18446744073709551616", "abcdefgh:1", "abcdefg!-1"}) {
    EXPECT_FALSE(Position::parse(text)) << text;
  }
}

TEST(HeadTest, CoversExactlyFromFloorToTopOfItsEpoch) {
  const Epoch epoch = *Epoch::parse("abcdefgh");
  const Head head{epoch, Offset{10}, Offset{4}};
  EXPECT_FALSE(head.covers({epoch, Offset{3}}));
  EXPECT_TRUE(head.covers({epoch, Offset{4}}));
  EXPECT_TRUE(head.covers({epoch, Offset{10}}));
  EXPECT_FALSE(head.covers({epoch, Offset{11}}));
  EXPECT_FALSE(head.covers({*Epoch::parse("abcdefgi"), Offset{5}}));
  EXPECT_EQ(head.position(), (Position{epoch, Offset{10}}));
  EXPECT_EQ(Offset{4}.next(), Offset{5});
}

TEST(SequenceTest, IsTwoNumbersComparedInOrder) {
  const auto sequence = Sequence::parse("18446744073709551615-0");
  ASSERT_TRUE(sequence);
  EXPECT_EQ(sequence->to_string(), "18446744073709551615-0");
  EXPECT_LT(*Sequence::parse("1-9"), *Sequence::parse("2-0"));
  EXPECT_LT(*Sequence::parse("2-9"), *Sequence::parse("2-10")) << "as numbers, not as text";
  for (const char* text : {"", "1", "-", "1-", "-1", "1-2-3", "01-1", "1-01", "a-1", "1 -1",
                           "18446744073709551616-0"}) {
    EXPECT_FALSE(Sequence::parse(text)) << text;
  }
}

TEST(PublicationTest, ACopyHoldsItsOwnBytes) {
  std::string bytes = "payload";
  PublicationView view;
  view.payload = bytes;
  view.key = "k";
  view.source = "s";
  view.sequence = {1, 2};
  view.kind = Kind::deletion;
  view.time_ms = 3;
  view.unknown_fields = "u";
  const Publication copy = copy_of(view);
  bytes = "changed";
  EXPECT_EQ(copy.payload, "payload");
  const PublicationView again = view_of(copy);
  EXPECT_EQ(again.key, "k");
  EXPECT_EQ(again.sequence, (Sequence{1, 2}));
  EXPECT_EQ(again.kind, Kind::deletion);
  EXPECT_EQ(again.time_ms, 3);
  EXPECT_EQ(again.unknown_fields, "u");
  EXPECT_EQ(again.payload.data(), copy.payload.data());
}

}  // namespace
}  // namespace peal
