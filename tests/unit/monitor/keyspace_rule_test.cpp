#include "redis/keyspace_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peal::monitor {
namespace {

using redis::Reply;
using testing::HasSubstr;

Reply text(std::string value) {
  return {.type = Reply::Type::text, .text = std::move(value)};
}

Reply array(std::vector<Reply> elements) {
  return {.type = Reply::Type::array, .elements = std::move(elements)};
}

std::string json_of(std::string type, Reply value) {
  JsonReader reader;
  const auto made = value_of(array({text(std::move(type)), std::move(value)}), reader);
  return made && made->json ? *made->json : "nothing";
}

KeyspaceConfig users() {
  KeyspaceConfig config;
  config.pattern = "user:*";
  config.channel = "users";
  config.key = "{$key}";
  return config;
}

TEST(KeyspaceValue, IsJsonByItsType) {
  EXPECT_EQ(json_of("string", text(R"({"a": 1})")), R"({"a": 1})");
  EXPECT_EQ(json_of("string", text("007")), R"("007")");
  EXPECT_EQ(json_of("hash", array({text("a\""), text("1"), text("b"), text("x")})),
            R"({"a\"":"1","b":"x"})");
  EXPECT_EQ(json_of("hash", array({})), "{}");
  EXPECT_EQ(json_of("list", array({text("b"), text("a")})), R"(["b","a"])");
  EXPECT_EQ(json_of("set", array({text("b"), text("a")})), R"(["a","b"])");
  EXPECT_EQ(json_of("zset", array({text("m"), text("1.5"), text("n"), text("-inf")})),
            R"([["m",1.5],["n","-inf"]])");
  EXPECT_EQ(json_of("stream", Reply{}), "nothing");
  JsonReader reader;
  EXPECT_FALSE(value_of(text("odd"), reader));
}

TEST(KeyspaceRule, TellsAKeyThatIsGoneAsADeletion) {
  JsonReader reader;
  const auto rule = KeyspaceRule::compile(users());
  ASSERT_TRUE(rule);
  const auto there = rule->ring("user:1", "set", {"string", "\"x\""}, reader);
  EXPECT_FALSE(there->deletion);
  EXPECT_EQ(there->key, "user:1");
  EXPECT_EQ(there->payload, R"({"event":"set","key":"user:1","type":"string","value":"x"})");
  const auto gone = rule->ring("user:1", "set", {"none", std::nullopt}, reader);
  EXPECT_TRUE(gone->deletion);
  EXPECT_EQ(gone->payload, R"({"event":"set","key":"user:1"})");
  const auto large = rule->ring("user:1", "set", {"string", std::nullopt}, reader);
  EXPECT_FALSE(large->deletion);
  EXPECT_EQ(large->payload, R"({"event":"set","key":"user:1","type":"string"})");
}

TEST(KeyspaceRule, NeverReadsAKeyAsATemplate) {
  JsonReader reader;
  KeyspaceConfig config = users();
  config.channel = "of:{$key}";
  config.reset = "resets";
  const auto rule = KeyspaceRule::compile(config);
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->ring("user:{$event}", "set", {"none", {}}, reader)->channel, "of:user:{$event}");
  EXPECT_FALSE(rule->ring("user:\n", "set", {"none", {}}, reader));
  EXPECT_EQ(rule->messages().reset("keyspace", "why").payload,
            R"({"event":"reset","keyspace":"user:*","reason":"why"})");
}

TEST(KeyspaceRule, SaysWhatIsWrong) {
  KeyspaceConfig config = users();
  config.channel = "{$key}";
  EXPECT_THAT(KeyspaceRule::compile(config).error().message, HasSubstr("reset is missing"));
  config = users();
  config.pattern = "";
  EXPECT_THAT(KeyspaceRule::compile(config).error().message, HasSubstr("pattern is missing"));
}

TEST(KeyspaceSetting, NamesWhatIsMissing) {
  EXPECT_EQ(missing_of("AK", {}), "");
  EXPECT_EQ(missing_of("gK", {"del", "what a module says"}), "");
  EXPECT_EQ(missing_of("K$hx", {"set", "hset", "expired"}), "");
  EXPECT_THAT(missing_of("", {}), HasSubstr("lacks KA"));
  EXPECT_THAT(missing_of("KE", {}), HasSubstr("lacks A"));
  EXPECT_THAT(missing_of("AE", {"set"}), HasSubstr("lacks K:"));
  EXPECT_THAT(missing_of("Kg", {"set", "expired"}), HasSubstr("lacks $x"));
}

}  // namespace
}  // namespace peal::monitor
