// Conditions on rows: what they mean, with NULLs, and what is said of a broken one.

#include "peal/monitor/filter.hpp"

#include <gtest/gtest.h>

#include "mapping/number.hpp"

namespace peal::monitor {
namespace {

Row row_of(std::string_view json) {
  JsonReader reader;
  return *Row::parse(json, reader);
}

Truth test(std::string_view filter, std::string_view row) {
  auto parsed = Filter::parse(filter);
  EXPECT_TRUE(parsed) << filter << ": " << parsed.error().message;
  return parsed ? parsed->test(row_of(row)) : Truth::unknown;
}

std::string refusal(std::string_view filter) {
  const auto parsed = Filter::parse(filter);
  return parsed ? "" : parsed.error().message;
}

TEST(FilterTest, ComparesAsSqlDoes) {
  const std::string row = R"({"id":7,"status":"open","paid":true,"note":null,"Odd Name":"x'y"})";
  EXPECT_EQ(test("", row), Truth::yes);
  EXPECT_EQ(test("id = 7 AND status = 'open'", row), Truth::yes);
  EXPECT_EQ(test("id <> 7 or paid = true", row), Truth::yes);
  EXPECT_EQ(test("not (id >= 8)", row), Truth::yes);
  EXPECT_EQ(test("id > 7", row), Truth::no);
  EXPECT_EQ(test("id <= 7", row), Truth::yes);
  EXPECT_EQ(test("status IN ('closed', 'open')", row), Truth::yes);
  EXPECT_EQ(test("status not in ('closed')", row), Truth::yes);
  EXPECT_EQ(test("STATUS < 'p'", row), Truth::yes);
  EXPECT_EQ(test("\"Odd Name\" = 'x''y'", row), Truth::yes);
  EXPECT_EQ(test("id = -7", row), Truth::no);
}

TEST(FilterTest, NullIsUnknown) {
  const std::string row = R"({"a":null,"b":1})";
  EXPECT_EQ(test("a = 1", row), Truth::unknown);
  EXPECT_EQ(test("not (a = 1)", row), Truth::unknown);
  EXPECT_EQ(test("a = 1 or b = 1", row), Truth::yes);
  EXPECT_EQ(test("a = 1 and b = 2", row), Truth::no);
  EXPECT_EQ(test("a is null", row), Truth::yes);
  EXPECT_EQ(test("a is not null", row), Truth::no);
  EXPECT_EQ(test("b in (2, null)", row), Truth::unknown);
  EXPECT_EQ(test("b not in (1, null)", row), Truth::no);
  EXPECT_EQ(test("a = null", row), Truth::unknown);
  EXPECT_EQ(test("b = '1'", row), Truth::unknown) << "text is no number";
}

TEST(FilterTest, NumbersAreExact) {
  EXPECT_EQ(test("n > 9007199254740992", R"({"n":9007199254740993})"), Truth::yes);
  EXPECT_EQ(test("n = 1.50", R"({"n":1.5})"), Truth::yes);
  EXPECT_EQ(test("n = 1e3", R"({"n":1000})"), Truth::yes);
  EXPECT_EQ(test("n < 0.1", R"({"n":-100.5})"), Truth::yes);
  EXPECT_EQ(test("n = 0", R"({"n":-0.0})"), Truth::yes);
  EXPECT_EQ(compare_numbers("-2", "-10"), std::strong_ordering::greater);
  EXPECT_EQ(compare_numbers("0.09", "0.1"), std::strong_ordering::less);
  EXPECT_EQ(canonical_number("100.0"), canonical_number("1E+2"));
  EXPECT_NE(canonical_number("9007199254740993"), canonical_number("9007199254740992"));
}

TEST(FilterTest, ABrokenOneSaysWhere) {
  EXPECT_NE(refusal("id ="), "");
  EXPECT_NE(refusal("id = 7 id"), "");
  EXPECT_NE(refusal("id = 'open").find("character 6"), std::string::npos);
  EXPECT_NE(refusal("(id = 1").find("parenthesis"), std::string::npos);
  EXPECT_NE(refusal("id = 01"), "");
  EXPECT_NE(refusal("id like 'x%'"), "");
  EXPECT_NE(refusal("1 = 1; drop table orders"), "");
  EXPECT_NE(refusal(std::string(5000, '(')), "") << "nested without end";
}

TEST(FilterTest, TellsWhatAnIndexCanUse) {
  const auto filter = Filter::parse("user_id = 5 and (a = 1 or b = 2) and kind in ('x', 'y')");
  const auto found = filter->equalities();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].column, "user_id");
  EXPECT_EQ(found[0].values, std::vector{index_text("5.0")});
  EXPECT_EQ(found[1].values.size(), 2U);
  EXPECT_EQ(filter->columns(), (std::vector<std::string>{"user_id", "a", "b", "kind"}));
}

}  // namespace
}  // namespace peal::monitor
