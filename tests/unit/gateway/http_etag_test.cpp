#include "http/etag.hpp"

#include <gtest/gtest.h>

#include "http/conditional.hpp"

namespace peal::gateway::http {
namespace {

const Position kSeven = *Position::parse("AAAAAAAA-7");
const Position kEight = *Position::parse("AAAAAAAA-8");

TEST(EntityTag, IsThePositionInQuotes) {
  EXPECT_EQ(tag_of(kSeven), R"("AAAAAAAA-7")");
  EXPECT_EQ(tag_of(kSeven, kHtmlForm), R"("AAAAAAAA-7;html")");
  EXPECT_EQ(parse_tag(tag_of(kSeven))->position, kSeven);
}

TEST(EntityTag, TakesOursWithASuffixAndWithW) {
  for (const char* text : {R"("AAAAAAAA-7;html")", R"(W/"AAAAAAAA-7")", R"("AAAAAAAA-7;br;x")"}) {
    const auto tag = parse_tag(text);
    ASSERT_TRUE(tag) << text;
    EXPECT_EQ(tag->position, kSeven) << text;
  }
  EXPECT_TRUE(parse_tag(R"(W/"x")")->weak);
}

TEST(EntityTag, TakesStrangersThatMatchNothing) {
  for (const char* text : {R"("")", R"("abc")", R"("AAAAAAAA-")", R"("AAAAAAAA-9007199254740992")",
                           R"("AAAAAAAA-18446744073709551616")", R"("AAAAAAAA--1")"}) {
    const auto list = parse_tags(text);
    ASSERT_TRUE(list) << text;
    EXPECT_FALSE(list->names(kSeven)) << text;
  }
}

TEST(TagList, ReadsListsWithCommasInsideAndBetween) {
  const auto list = parse_tags(R"(, "a,b" ,W/"AAAAAAAA-7",, "AAAAAAAA-8;gzip",)");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->tags.size(), 3U);
  EXPECT_TRUE(list->names(kSeven));
  EXPECT_TRUE(list->names(kEight));
  EXPECT_TRUE(parse_tags(" * ")->any);
  EXPECT_TRUE(parse_tags("*")->names(kSeven));
}

TEST(TagList, RefusesWhatIsNoList) {
  for (const char* text : {"", ",", "AAAAAAAA-7", R"("AAAAAAAA-7)", R"("a" "b")", R"("a""b")",
                           R"(*, "a")", R"("a", *)", R"(w/"a")", "\"a\tb\"", R"(W/ "a")"}) {
    EXPECT_FALSE(parse_tags(text)) << text;
  }
}

TEST(TagList, TellsFormsApartForReads) {
  const auto html = parse_tags(R"("AAAAAAAA-7;html")");
  EXPECT_TRUE(html->names(kSeven)) << "for a write any form is the value";
  EXPECT_TRUE(html->names(kSeven, kHtmlForm));
  EXPECT_FALSE(html->names(kSeven, "")) << "a cached page must not be taken for the value";
  EXPECT_TRUE(parse_tags(R"("AAAAAAAA-7;gzip")")->names(kSeven, "")) << "a coding is no form";
}

Conditions conditions(const char* match, const char* none_match) {
  Request request;
  if (*match != 0) request.headers.emplace_back("If-Match", match);
  if (*none_match != 0) request.headers.emplace_back("if-none-match", none_match);
  return read_conditions(request).value();
}

TEST(Conditions, JudgeReadsInTheOrderOfTheStandard) {
  const char* seven = R"("AAAAAAAA-7")";
  const char* eight = R"("AAAAAAAA-8")";
  EXPECT_EQ(judge_read(conditions("", ""), kSeven, ""), Verdict::proceed);
  EXPECT_EQ(judge_read(conditions("", seven), kSeven, ""), Verdict::not_modified);
  EXPECT_EQ(judge_read(conditions("", "*"), kSeven, ""), Verdict::not_modified);
  EXPECT_EQ(judge_read(conditions("", eight), kSeven, ""), Verdict::proceed);
  EXPECT_EQ(judge_read(conditions(eight, ""), kSeven, ""), Verdict::failed);
  EXPECT_EQ(judge_read(conditions("*", ""), kSeven, ""), Verdict::proceed);
  EXPECT_EQ(judge_read(conditions(seven, seven), kSeven, ""), Verdict::not_modified);
  EXPECT_EQ(judge_read(conditions(eight, seven), kSeven, ""), Verdict::failed);
}

TEST(Conditions, HoldForWritesOnlyOfWhatIsThere) {
  const char* seven = R"("AAAAAAAA-7")";
  EXPECT_TRUE(hold_for_write(conditions(seven, ""), kSeven));
  EXPECT_FALSE(hold_for_write(conditions(seven, ""), kEight));
  EXPECT_FALSE(hold_for_write(conditions(seven, ""), std::nullopt));
  EXPECT_FALSE(hold_for_write(conditions("*", ""), std::nullopt));
  EXPECT_TRUE(hold_for_write(conditions("", "*"), std::nullopt));
  EXPECT_FALSE(hold_for_write(conditions("", "*"), kSeven));
  EXPECT_TRUE(hold_for_write(conditions("", seven), kEight));
  EXPECT_FALSE(hold_for_write(conditions("*", seven), kSeven));
  EXPECT_TRUE(hold_for_write(conditions("*", seven), kEight));
}

TEST(Conditions, JoinHeadersThatComeInSeveralLines) {
  Request request;
  request.headers = {{"If-Match", R"("a")"}, {"If-Match", R"("AAAAAAAA-7")"}};
  EXPECT_TRUE(read_conditions(request)->match->names(kSeven));
  request.headers.emplace_back("If-Match", "*");
  EXPECT_EQ(read_conditions(request).error().code, ErrorCode::request_invalid);
}

}  // namespace
}  // namespace peal::gateway::http
