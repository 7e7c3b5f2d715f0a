#include "peal/proto/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace peal {
namespace {

using testing::HasSubstr;

std::string nested(std::size_t depth, std::string_view open, std::string_view inner,
                   std::string_view shut) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i)
    text += open;
  text += inner;
  for (std::size_t i = 0; i < depth; ++i)
    text += shut;
  return text;
}

bool valid(std::string_view text, std::size_t depth_max = 1024) {
  // An exactly sized heap copy, so that AddressSanitizer sees a read beyond the end.
  const std::unique_ptr<char[]> exact(new char[text.size()]);
  if (!text.empty()) std::memcpy(exact.get(), text.data(), text.size());
  JsonReader reader;
  return reader.validate({exact.get(), text.size()}, depth_max).has_value();
}

class ValidJson : public testing::TestWithParam<std::string> {};
TEST_P(ValidJson, IsAccepted) {
  EXPECT_TRUE(valid(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Scalars, ValidJson,
                         testing::Values("0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E+5",
                                         "1e-5", "0e0", "true", "false", "null", "\"\"", "\"a\"",
                                         "[]", "{}"));
INSTANTIATE_TEST_SUITE_P(NumbersNoMachineTypeHolds, ValidJson,
                         testing::Values("9223372036854775808", "18446744073709551616",
                                         "-9223372036854775809", "1e400", "-1e400", "1e-400",
                                         std::string(500, '9'), "0." + std::string(500, '3'),
                                         "1e99999999999999999999"));
INSTANTIATE_TEST_SUITE_P(WhiteSpaceAndDuplicates, ValidJson,
                         testing::Values(" \t\r\n1\n\r\t ", "[ 1 ,\t2\n]",
                                         "{ \"a\" : 1 , \"a\" : 2 }", "[\r\n]", "{\n}",
                                         R"({"":"","":""})"));
INSTANTIATE_TEST_SUITE_P(Strings, ValidJson,
                         testing::Values(R"("\"\\\/\b\f\n\r\t")", R"("A\u00e9\uFFFF\u0000")",
                                         R"("\ud83d\ude00")", R"("\udbff\udfff")", "\"\x7f\"",
                                         "\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"", "\"\xc2\x80\"",
                                         "\"\xef\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"",
                                         "\"" + std::string(1000, 'x') + "\"",
                                         R"("aaaaaaa\"aaaaaaaa\\")"));

class InvalidJson : public testing::TestWithParam<std::string> {};
TEST_P(InvalidJson, IsRefused) {
  EXPECT_FALSE(valid(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Structure, InvalidJson,
                         testing::Values("", " ", "[", "]", "{", "}", "[1", "{\"a\":1", "[1,]",
                                         "[,1]", "[1,,2]", "{\"a\":1,}", "{,}", "{\"a\"}",
                                         "{\"a\":}", "{\"a\" 1}", "{a:1}", "{1:1}", "[1}",
                                         "{\"a\":1]", "1 2", "[] []", "{}x", "[1 2]",
                                         "{\"a\":1 \"b\":2}", "[[1]", "{\"a\"::1}", "[1]]",
                                         "\xef\xbb\xbf[]", "//x\n1", "[1/**/]", ","));
INSTANTIATE_TEST_SUITE_P(Literals, InvalidJson,
                         testing::Values("tru", "{\"a\":tru}", "truex", "True", "nul", "nulll",
                                         "fals", "NaN", "Infinity", "-Infinity", "undefined",
                                         "'a'"));
INSTANTIATE_TEST_SUITE_P(Numbers, InvalidJson,
                         testing::Values("-", "+1", "01", "-01", "1.", ".5", "1.e5", "1e", "1e+",
                                         "1e-", "0x10", "1_000", "--1", "1e5.5", "00", "- 1",
                                         "1 .5"));
INSTANTIATE_TEST_SUITE_P(Strings, InvalidJson,
                         testing::Values("\"", "\"a", R"("\q")", R"("\)", R"("\")", R"("\u")",
                                         R"("\u12")", R"("\u12g4")", R"("\U0041")", R"("\x41")",
                                         "\"a\nb\"", "\"\t\"", std::string("\"\0\"", 3), "\"\x1f\"",
                                         "\"aaaaaaaaaaaa\x01\""));
INSTANTIATE_TEST_SUITE_P(LoneSurrogates, InvalidJson,
                         testing::Values(R"("\ud800")", R"("\udc00")", R"("\ud800\ud800")",
                                         R"("\ud800A")", R"("\ud800\n")", R"("\ud800x")",
                                         R"("\udfff\ud800")", R"("\ud800\u")", R"("\uD83D")",
                                         R"({"\ud800":1})"));
INSTANTIATE_TEST_SUITE_P(BrokenUtf8, InvalidJson,
                         testing::Values("\"\xff\"", "\"\x80\"", "\"\xc3\"", "\"\xc0\xaf\"",
                                         "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"",
                                         "\"\xf4\x90\x80\x80\"", "\"\xf8\x88\x80\x80\x80\"",
                                         "\"\xf0\x9f\x98\"", "\xff", "[1]\x80",
                                         "\"" + std::string(100, 'x') + "\xe9" +
                                             std::string(100, 'x') + "\""));

TEST(JsonDepthTest, TheLimitItselfIsAllowedAndOneMoreIsNot) {
  EXPECT_TRUE(valid(nested(1024, "[", "", "]")));
  EXPECT_TRUE(valid(nested(1024, "[", "1", "]")));
  EXPECT_FALSE(valid(nested(1025, "[", "", "]")));
  EXPECT_TRUE(valid(nested(1024, "{\"a\":", "1", "}")));
  EXPECT_FALSE(valid(nested(1025, "{\"a\":", "1", "}")));
  EXPECT_FALSE(valid(nested(1024, "[", "{}", "]")));
  EXPECT_TRUE(valid("1", 0));
  EXPECT_FALSE(valid("[]", 0));
  EXPECT_TRUE(valid(nested(1024, "[[],", "{}", "]"), 1025)) << "siblings do not add up";
}

TEST(JsonDepthTest, HundredsOfThousandsOfBracketsNeedNoStack) {
  EXPECT_FALSE(valid(nested(500'000, "[", "", "]")));
  EXPECT_TRUE(valid(nested(500'000, "[", "", "]"), 1'000'000));
}

TEST(JsonDepthTest, TheErrorNamesTheLimit) {
  JsonReader reader;
  const auto result = reader.validate(nested(4, "[", "", "]"), 3);
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code, ErrorCode::message_invalid);
  EXPECT_THAT(result.error().message, HasSubstr("limits.json_depth_max (3)"));
}

TEST(JsonValidateTest, MixedNestingIsTrackedPerLevel) {
  EXPECT_TRUE(valid(nested(100, "[{\"a\":", "[]", "}]")));
  EXPECT_FALSE(valid(nested(100, "[{\"a\":", "[}", "}]")));
}

TEST(JsonValidateTest, EveryPrefixOfADocumentIsRefused) {
  const std::string text =
      R"( {"a": [1, -2.5e+3, "\u00e9\ud83d\ude00", true, false, null], "b": {}} )";
  ASSERT_TRUE(valid(text));
  const std::size_t whole = text.size() - 1;
  for (std::size_t n = 0; n < whole; ++n)
    EXPECT_FALSE(valid(text.substr(0, n))) << n;
}

TEST(JsonValidateTest, TheErrorTellsTheByte) {
  JsonReader reader;
  const auto result = reader.validate("[1,,2]");
  ASSERT_TRUE(result.has_error());
  EXPECT_THAT(result.error().message, HasSubstr("byte 3"));
}

TEST(JsonFieldsTest, GivesRawValuesByteForByteInOrder) {
  const std::string text =
      " { \"a\" : {\"x\" : [ 1 , 1e400 ] } ,\"a\":18446744073709551616,\"s\":\"]},:\\\"\" , "
      "\"n\":null\n}\t";
  JsonReader reader;
  ASSERT_TRUE(reader.validate(text));
  const auto fields = reader.fields(text);
  ASSERT_TRUE(fields);
  const auto& f = **fields;
  ASSERT_EQ(f.size(), 4U);
  EXPECT_EQ(f[0].key, "a");
  EXPECT_EQ(f[0].raw, R"({"x" : [ 1 , 1e400 ] })");
  EXPECT_EQ(f[1].key, "a");
  EXPECT_EQ(f[1].raw, "18446744073709551616");
  EXPECT_EQ(f[2].raw, R"("]},:\"")");
  EXPECT_EQ(f[3].raw, "null");
}

TEST(JsonFieldsTest, KeysAreUnescaped) {
  JsonReader reader;
  const auto fields = reader.fields(R"({"\u0061ction":1,"a\"b":2,"\ud83d\ude00":3,"plain":4})");
  ASSERT_TRUE(fields);
  EXPECT_EQ((**fields)[0].key, "action");
  EXPECT_EQ((**fields)[1].key, "a\"b");
  EXPECT_EQ((**fields)[2].key, "\xf0\x9f\x98\x80");
  EXPECT_EQ((**fields)[3].key, "plain");
}

TEST(JsonFieldsTest, AnEmptyObjectHasNone) {
  JsonReader reader;
  ASSERT_TRUE(reader.fields(" { } "));
  EXPECT_TRUE((*reader.fields("{}"))->empty());
}

TEST(JsonFieldsTest, OtherTypesAreNoObjects) {
  JsonReader reader;
  for (const char* text : {"[]", "1", "\"{}\"", "null", "", "{", "}"}) {
    const auto fields = reader.fields(text);
    ASSERT_TRUE(fields.has_error()) << text;
    EXPECT_EQ(fields.error().code, ErrorCode::command_invalid);
  }
}

TEST(JsonFieldsTest, UnvalidatedTextIsRefusedOrReadButNeverOverrun) {
  JsonReader reader;
  for (const char* text : {"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a}", "{\"a\":[}", "{\"a\":]}",
                           "{\"a\" 1}", "{\"a:1}", "{\"a\":\"}", "{\"a\":1 2}"}) {
    EXPECT_TRUE(reader.fields(text).has_error()) << text;
  }
}

TEST(JsonOutlineTest, GivesTwoLevelsOfMembersInOneWalk) {
  const std::string text =
      " { \"a\" : {\"x\" : [ 1 , {\"deep\":2} ] ,\"\\u0079\":{} } ,\"list\":[{\"in\":1},2], "
      "\"a\":1e400 , \"s\":\"]},:\\\"\",\"e\":{}\n}\t";
  JsonReader reader;
  const auto outline = reader.outline(text);
  ASSERT_TRUE(outline);
  const std::vector<JsonMember>& m = **outline;
  ASSERT_EQ(m.size(), 7U);
  EXPECT_EQ(m[0].key, "a");
  EXPECT_EQ(m[0].raw, R"({"x" : [ 1 , {"deep":2} ] ,"\u0079":{} })");
  EXPECT_EQ(m[0].parent, JsonMember::kOutermost);
  EXPECT_EQ(m[1].key, "x");
  EXPECT_EQ(m[1].raw, R"([ 1 , {"deep":2} ])");
  EXPECT_EQ(m[1].parent, 0U);
  EXPECT_EQ(m[2].key, "y");
  EXPECT_EQ(m[2].raw, "{}");
  EXPECT_EQ(m[2].parent, 0U);
  EXPECT_EQ(m[3].key, "list");
  EXPECT_EQ(m[3].raw, R"([{"in":1},2])");
  EXPECT_EQ(m[4].raw, "1e400");
  EXPECT_EQ(m[5].raw, R"("]},:\"")");
  EXPECT_EQ(m[6].raw, "{}");
  EXPECT_EQ(m[6].parent, JsonMember::kOutermost);
}

TEST(JsonOutlineTest, IsEmptyForWhatIsNoObjectAndRefusesWhatIsInvalid) {
  JsonReader reader;
  for (const char* text : {"[{\"a\":1}]", "1", "\"{}\"", " {} ", "[[{\"a\":{\"b\":1}}]]"}) {
    const auto outline = reader.outline(text);
    ASSERT_TRUE(outline) << text;
    EXPECT_TRUE((*outline)->empty()) << text;
  }
  for (const char* text :
       {"", "{", "{\"a\"}", "{\"a\":1,}", "{\"a\":\"\xff\"}", "{\"a\":{\"b\":tru}}"}) {
    const auto outline = reader.outline(text);
    ASSERT_TRUE(outline.has_error()) << text;
    EXPECT_EQ(outline.error().code, ErrorCode::message_invalid);
  }
  EXPECT_TRUE(reader.outline("{\"a\":[1]}", 1).has_error());
}

TEST(JsonElementsTest, GivesRawElements) {
  JsonReader reader;
  const auto elements = reader.elements(" [ 1 , \"a,b\" ,[2,3],{\"x\":[]} , null ] ");
  ASSERT_TRUE(elements);
  EXPECT_THAT(**elements, testing::ElementsAre("1", "\"a,b\"", "[2,3]", "{\"x\":[]}", "null"));
  EXPECT_TRUE((*reader.elements("[]"))->empty());
  EXPECT_TRUE(reader.elements("{}").has_error());
  EXPECT_TRUE(reader.elements("[1,]").has_error());
  EXPECT_TRUE(reader.elements("[1 2]").has_error());
  EXPECT_TRUE(reader.elements("[,]").has_error());
}

TEST(JsonScalarTest, UnsignedIntegers) {
  EXPECT_EQ(JsonReader::as_uint("0"), 0U);
  EXPECT_EQ(JsonReader::as_uint("18446744073709551615"), UINT64_MAX);
  for (const char* raw :
       {"18446744073709551616", "-1", "1.0", "1e3", "\"1\"", "true", "null", "[]", ""}) {
    EXPECT_EQ(JsonReader::as_uint(raw), std::nullopt) << raw;
  }
}

TEST(JsonScalarTest, Booleans) {
  EXPECT_EQ(JsonReader::as_bool("true"), true);
  EXPECT_EQ(JsonReader::as_bool("false"), false);
  EXPECT_EQ(JsonReader::as_bool("1"), std::nullopt);
  EXPECT_EQ(JsonReader::as_bool("\"true\""), std::nullopt);
}

TEST(JsonScalarTest, StringsAreUnescaped) {
  EXPECT_EQ(JsonReader::as_string(R"("")"), "");
  EXPECT_EQ(JsonReader::as_string(R"("a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z")"),
            "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
  EXPECT_EQ(JsonReader::as_string(R"("\u0000")"), std::string(1, '\0'));
  for (const char* raw : {"1", "null", "", "\"", "\"a", "\"a\"b"}) {
    EXPECT_EQ(JsonReader::as_string(raw), std::nullopt) << raw;
  }
}

TEST(JsonStringTest, EveryByteSurvivesTheRoundTrip) {
  std::string text;
  for (int c = 0; c < 128; ++c)
    text += static_cast<char>(c);
  text += "\xc3\xa9\xf0\x9f\x98\x80\"\\end";
  std::string out;
  append_json_string(out, text);
  JsonReader reader;
  ASSERT_TRUE(reader.validate(out));
  EXPECT_EQ(JsonReader::as_string(out), text);
}

TEST(JsonStringTest, AppendsBehindWhatIsThere) {
  std::string out = "x=";
  append_json_string(out, "a\nb\x01");
  EXPECT_EQ(out, "x=\"a\\nb\\u0001\"");
}

TEST(JsonTextTest, BrokenUtf8IsReplacedByteByByte) {
  const auto text = [](std::string_view bytes) {
    std::string out;
    append_json_text(out, bytes);
    JsonReader reader;
    EXPECT_TRUE(reader.validate(out));
    return out;
  };
  EXPECT_EQ(text("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
  EXPECT_EQ(text("a\xff\"b"), "\"a\xef\xbf\xbd\\\"b\"");
  EXPECT_EQ(text("\xf0\x9f\x98\x80\xf0\x9f"), "\"\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(text("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(text(""), "\"\"");
}

}  // namespace
}  // namespace peal
