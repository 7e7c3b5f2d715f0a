#include "redis/list_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peal/redis/client.hpp"

namespace peal::monitor {
namespace {

using testing::HasSubstr;

ListConfig jobs(std::string channel, std::string payload = {}) {
  ListConfig config;
  config.list = "jobs";
  config.channel = std::move(channel);
  config.payload = std::move(payload);
  return config;
}

TEST(ListRule, RingsJsonAsItIsAndTextAsAString) {
  JsonReader reader;
  const auto rule = ListRule::compile(jobs("all"));
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->ring(R"({"a": [1]})", reader)->payload, R"({"a": [1]})");
  EXPECT_EQ(rule->ring("1e3", reader)->payload, "1e3");
  EXPECT_EQ(rule->ring("say \"hi\"", reader)->payload, R"("say \"hi\"")");
  EXPECT_EQ(rule->ring("", reader)->payload, R"("")");
}

TEST(ListRule, FillsTemplatesFromTheElementAndNeverReadsItAsOne) {
  JsonReader reader;
  const auto rule = ListRule::compile(jobs("{table}:{payload.to}", R"({"of": {payload.to}})"));
  ASSERT_TRUE(rule);
  const auto ring = rule->ring(R"({"to": "{payload}"})", reader);
  ASSERT_TRUE(ring);
  EXPECT_EQ(ring->channel, "jobs:{payload}");
  EXPECT_EQ(ring->payload, R"({"of": "{payload}"})");
  EXPECT_THAT(rule->ring("7", reader).error().message, HasSubstr("payload.to"));
  EXPECT_THAT(rule->ring("{\"to\": \"a\\u0001\"}", reader).error().message, HasSubstr("no name"));
}

TEST(ListRule, SaysWhatIsWrong) {
  EXPECT_THAT(ListRule::compile(jobs("")).error().message, HasSubstr("jobs: channel is missing"));
  EXPECT_THAT(ListRule::compile(jobs("a", "{")).error().message, HasSubstr("payload"));
  ListConfig config = jobs("a");
  config.take = "top";
  EXPECT_THAT(ListRule::compile(config).error().message, HasSubstr("neither left nor right"));
}

TEST(ListKeys, AreInTheListsSlotOrItIsSaid) {
  for (const char* list : {"jobs", "{a}:jobs", "x{a}y{b}", "{unclosed", "}", "a}"}) {
    const ListKeys keys = list_keys("peal:", "monitor", list);
    const auto slot = redis::slot_of(list);
    const bool together = redis::slot_of(keys.state) == slot &&
                          redis::slot_of(keys.taken) == slot &&
                          redis::slot_of(keys.rejected) == slot;
    EXPECT_EQ(cluster_trouble(keys, list).empty(), together) << list;
  }
  EXPECT_EQ(cluster_trouble(list_keys("peal:", "monitor", "jobs"), "jobs"), "");
  EXPECT_EQ(cluster_trouble(list_keys("peal:", "monitor", "{a}:jobs"), "{a}:jobs"), "");
  EXPECT_THAT(cluster_trouble(list_keys("peal:", "monitor", "a}b"), "a}b"), HasSubstr("{tag}"));
  EXPECT_THAT(cluster_trouble(list_keys("{p}:", "monitor", "jobs"), "jobs"), HasSubstr("prefix"));
}

}  // namespace
}  // namespace peal::monitor
