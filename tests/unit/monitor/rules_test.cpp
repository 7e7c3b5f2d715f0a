// Which changes ring where, and with what.

#include "peal/monitor/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peal::monitor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Row row_of(std::string_view json) {
  JsonReader reader;
  return *Row::parse(json, reader);
}

Change change_of(Change::What what, std::string_view old_row, std::string_view new_row) {
  Change change;
  change.what = what;
  change.schema = "public";
  change.table = "orders";
  if (!old_row.empty()) change.old_row = row_of(old_row);
  if (!new_row.empty()) change.new_row = row_of(new_row);
  return change;
}
Change insert(std::string_view row) {
  return change_of(Change::What::insert, "", row);
}
Change update(std::string_view before, std::string_view after) {
  return change_of(Change::What::update, before, after);
}
Change remove(std::string_view row) {
  return change_of(Change::What::remove, row, "");
}

RuleConfig rule(std::string channel, std::string filter = "") {
  RuleConfig config;
  config.table = "orders";
  config.channel = std::move(channel);
  config.payload = R"({"event":"{event}","id":{id}})";
  config.filter = std::move(filter);
  return config;
}

struct Mapped {
  std::vector<Ring> rings;
  std::vector<std::string> unmapped;

  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const Ring& ring : rings)
      out.push_back(ring.channel + (ring.deletion ? " -" : " ") + ring.key + " " + ring.payload);
    return out;
  }
};

Mapped map(const std::vector<RuleConfig>& configs, const Change& change) {
  auto rules = Rules::compile(configs);
  EXPECT_TRUE(rules) << rules.error().message;
  Mapped mapped;
  rules->map(change, mapped.rings,
             [&](std::size_t, const Error& why) { mapped.unmapped.push_back(why.message); });
  return mapped;
}

std::string refusal(const RuleConfig& config) {
  const auto rules = Rules::compile({config});
  return rules ? "" : rules.error().message;
}

TEST(RulesTest, AChannelIsMadeOfTheRow) {
  EXPECT_THAT(map({rule("order:{new.id}"), rule("table:{table}")}, insert(R"({"id":7})")).lines(),
              ElementsAre(R"(order:7  {"event":"insert","id":7})",
                          R"(table:orders  {"event":"insert","id":7})"));
  EXPECT_THAT(map({rule("user:{who.id}")}, insert(R"({"id":1,"who":{"id":"ann"}})")).lines(),
              ElementsAre(R"(user:ann  {"event":"insert","id":1})"));
  EXPECT_THAT(map({rule("order:{new.id}")}, remove(R"({"id":7})")).lines(),
              ElementsAre(R"(order:7  {"event":"delete","id":7})"));
}

TEST(RulesTest, AFilterMakesRowsEnterAndLeave) {
  const auto open = rule("open", "status = 'open'");
  const char* const one = R"({"id":1,"status":"open"})";
  const char* const two = R"({"id":1,"status":"shut"})";
  const auto event = [&](const Change& change) {
    const auto mapped = map({open}, change);
    return mapped.rings.empty() ? "" : mapped.rings.front().payload;
  };
  EXPECT_THAT(event(insert(one)), HasSubstr("insert"));
  EXPECT_EQ(event(insert(two)), "");
  EXPECT_THAT(event(update(two, one)), HasSubstr("enter"));
  EXPECT_THAT(event(update(one, one)), HasSubstr("update"));
  EXPECT_THAT(event(update(one, two)), HasSubstr("leave"));
  EXPECT_EQ(event(update(two, two)), "");
  EXPECT_THAT(event(remove(one)), HasSubstr("delete"));
  EXPECT_EQ(event(remove(two)), "");
}

TEST(RulesTest, ARowThatMovesLeavesThereAndEntersHere) {
  auto by_user = rule("user:{user}");
  by_user.key = "{id}";
  EXPECT_THAT(
      map({by_user}, update(R"({"id":1,"user":"ann"})", R"({"id":1,"user":"bob"})")).lines(),
      ElementsAre(R"(user:ann -1 {"event":"leave","id":1})",
                  R"(user:bob 1 {"event":"enter","id":1})"));
  EXPECT_THAT(
      map({by_user}, update(R"({"id":1,"user":"ann"})", R"({"id":2,"user":"ann"})")).lines(),
      ElementsAre(R"(user:ann -1 {"event":"leave","id":1})",
                  R"(user:ann 2 {"event":"enter","id":2})"));
}

TEST(RulesTest, OnChoosesChanges) {
  auto only = rule("a");
  only.on = {"insert", "delete"};
  EXPECT_EQ(map({only}, update(R"({"id":1})", R"({"id":1})")).rings.size(), 0U);
  EXPECT_EQ(map({only}, remove(R"({"id":1})")).rings.size(), 1U);
  only.on = {"upsert"};
  EXPECT_THAT(refusal(only), HasSubstr("upsert"));
}

TEST(RulesTest, WithoutATemplateAllIsTold) {
  auto plain = rule("a");
  plain.payload = "";
  auto change = update(R"({"id":1,"t":"x"})", R"({"id":1,"t":null})");
  EXPECT_EQ(map({plain}, change).rings.front().payload,
            R"({"event":"update","schema":"public","table":"orders","old":{"id":1,"t":"x"},)"
            R"("new":{"id":1,"t":null}})");
  change.old_row.reset();
  change.old_missing = "no old row";
  change.new_row = Row({{"id", "1"}, {"t", "", true}});
  EXPECT_EQ(map({plain}, change).rings.front().payload,
            R"({"event":"update","schema":"public","table":"orders","new":{"id":1},)"
            R"("unchanged":["t"],"old_missing":"no old row"})");
}

TEST(RulesTest, APayloadIsJsonWhateverTheRowHas) {
  auto shaped = rule("a");
  shaped.payload = R"({"text":"<{t}>","raw":{t},"whole":{new},"none":{old},"json":{ "b": 1}})";
  const auto mapped = map({shaped}, insert(R"({"t":"q\"{id}\n"})"));
  EXPECT_EQ(mapped.rings.front().payload,
            R"({"text":"<q\"{id}\n>","raw":"q\"{id}\n","whole":{"t":"q\"{id}\n"},"none":null,)"
            R"("json":{ "b": 1}})");
}

TEST(RulesTest, WhatCannotBeAChannelIsToldAndReachesNobody) {
  const auto by_name = rule("user:{name}");
  EXPECT_THAT(map({by_name}, insert(R"({"id":1,"name":null})")).unmapped,
              ElementsAre(HasSubstr("{name} is NULL")));
  EXPECT_THAT(map({by_name}, insert(R"({"id":1,"name":""})")).unmapped,
              ElementsAre(HasSubstr("empty")));
  EXPECT_THAT(map({by_name}, insert(R"({"id":1,"name":"a\nb"})")).unmapped,
              ElementsAre(HasSubstr("control characters")));
  EXPECT_THAT(map({by_name}, insert(R"({"id":1,"name":[1]})")).unmapped,
              ElementsAre(HasSubstr("neither text")));
  EXPECT_THAT(map({by_name}, insert(R"({"id":1,"name":"{id}"})")).lines(),
              ElementsAre(HasSubstr("user:{id} ")))
      << "a value is never a template";
}

TEST(RulesTest, ATruncateEmptiesTheWholeTablesChannel) {
  auto whole = rule("table:{table}");
  whole.key = "{id}";
  const auto mapped = map({whole, rule("order:{id}")}, change_of(Change::What::truncate, "", ""));
  ASSERT_EQ(mapped.rings.size(), 1U);
  EXPECT_TRUE(mapped.rings.front().anew);
  EXPECT_EQ(mapped.unmapped.size(), 1U);
}

TEST(RulesTest, AnUnknownOldRowIsToldRatherOnceTooOften) {
  const auto open = rule("open", "status = 'open'");
  auto change = update("", R"({"id":1,"status":"shut"})");
  change.old_missing = "replica identity";
  EXPECT_THAT(map({open}, change).lines(), ElementsAre(HasSubstr("leave")));
  change = remove(R"({"id":1})");
  change.old_missing = "only the key";
  EXPECT_THAT(map({open}, change).lines(), ElementsAre(HasSubstr("delete")));
}

TEST(RulesTest, MistakesAreFoundAtStart) {
  EXPECT_THAT(refusal(rule("")), HasSubstr("channel"));
  EXPECT_THAT(refusal(rule("a{b")), HasSubstr("placeholder"));
  EXPECT_THAT(refusal(rule("a", "id ~ 3")), HasSubstr("filter"));
  auto broken = rule("a");
  broken.payload = R"({"a":{id})";
  EXPECT_THAT(refusal(broken), HasSubstr("payload"));
  EXPECT_THAT(refusal({}), HasSubstr("table"));
}

TEST(RulesTest, TheyNameTheirColumns) {
  auto one = rule("a:{new.x}:{table}", "f = 1");
  one.key = "{k.deep}";
  const auto rules = Rules::compile({one});
  EXPECT_THAT(rules->tables().at("public.orders"), ElementsAre("x", "k", "id", "f"));
}

}  // namespace
}  // namespace peal::monitor
