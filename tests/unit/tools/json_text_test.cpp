#include "json_text.hpp"

#include <gtest/gtest.h>

namespace peal::cli {
namespace {

TEST(JsonObject, finds_members_by_name_and_keeps_their_bytes) {
  const JsonObject object(
      R"({"a": 12345678901234567890, "b":"x\"y", "c": [ {"d":1}, {"d":2} ], "e":true})");
  EXPECT_EQ(object.raw("a"), "12345678901234567890");
  EXPECT_EQ(object.text("b"), "x\"y");
  EXPECT_TRUE(object.boolean("e"));
  EXPECT_FALSE(object.has("z"));
  const auto list = object.objects("c");
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1].number("d"), 2u);
}

TEST(JsonObject, of_anything_else_has_no_members) {
  EXPECT_TRUE(JsonObject("").members().empty());
  EXPECT_TRUE(JsonObject("[1]").members().empty());
  EXPECT_TRUE(JsonObject("3").objects("a").empty());
}

TEST(JsonBuilder, writes_members_in_order_with_their_text_escaped) {
  EXPECT_EQ(JsonBuilder().str(), "{}");
  EXPECT_EQ(JsonBuilder()
                .text("a\n", "\"")
                .number("n", std::uint64_t{7})
                .boolean("t", false)
                .raw("r", "[1]")
                .str(),
            R"({"a\n":"\"","n":7,"t":false,"r":[1]})");
}

TEST(Minify, cuts_white_space_between_tokens_only) {
  EXPECT_EQ(minify("{ \"a b\" :\n[ 1 ,\t2 ], \"q\\\" \\\\\": \" x \" }"),
            R"({"a b":[1,2],"q\" \\":" x "})");
  EXPECT_EQ(minify(" 1e400 "), "1e400");
}

TEST(MessageJson, what_parses_goes_as_it_is_and_anything_else_as_a_string) {
  JsonReader reader;
  EXPECT_EQ(message_json(reader, "{\"a\": 1.0}"), "{\"a\": 1.0}");
  EXPECT_EQ(message_json(reader, "1e400"), "1e400");
  EXPECT_EQ(message_json(reader, "null"), "null");
  EXPECT_EQ(message_json(reader, "hello"), "\"hello\"");
  EXPECT_EQ(message_json(reader, ""), "\"\"");
  EXPECT_EQ(message_json(reader, "{\"a\":tru}"), R"("{\"a\":tru}")");
}

TEST(MessageJson, bytes_that_are_no_utf8_are_replaced) {
  JsonReader reader;
  for (const char* bad : {"a\xFF"
                          "b",
                          "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    const std::string json = message_json(reader, bad);
    EXPECT_TRUE(reader.validate(json)) << json;
    EXPECT_NE(json.find("\xEF\xBF\xBD"), std::string::npos);
  }
  EXPECT_EQ(message_json(reader,
                         "a\xFF"
                         "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(message_json(reader, "\xF0\x9F\x94\x94 \xE2\x82\xAC"),
            "\"\xF0\x9F\x94\x94 \xE2\x82\xAC\"");
}

}  // namespace
}  // namespace peal::cli
