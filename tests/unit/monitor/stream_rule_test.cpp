#include "redis/stream_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peal/redis/client.hpp"

namespace peal::monitor {
namespace {

StreamConfig events() {
  StreamConfig config;
  config.stream = "events";
  config.channel = "events";
  return config;
}

StreamEntry entry(std::vector<std::pair<std::string, std::string>> fields) {
  return {"5-1", {5, 1}, std::move(fields)};
}

TEST(StreamRule, RingsAnEntryAsAnObjectOfItsFields) {
  JsonReader reader;
  const auto rule = StreamRule::compile(events());
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->ring(entry({{"a", "1"}, {"b", "say \"hi\""}}), reader)->payload,
            R"({"a":"1","b":"say \"hi\""})");
  EXPECT_EQ(rule->ring(entry({}), reader)->payload, "{}");
  EXPECT_EQ(rule->ring(entry({{"", ""}}), reader)->payload, R"({"":""})");
}

TEST(StreamRule, TakesAnyFieldByItsName) {
  JsonReader reader;
  StreamConfig config = events();
  config.channel = "{table}:{event}";
  config.reset = "resets";
  config.payload = R"({"s": {schema}, "n": {new}, "o": {new."a-b"}, "d": {old.deep}, "i": {$id}})";
  auto rule = StreamRule::compile(config);
  ASSERT_TRUE(rule) << rule.error().message;
  auto ring = rule->ring(entry({{"event", "bought"}, {"schema", "s"}, {"a-b", "c"}}), reader);
  ASSERT_TRUE(ring) << ring.error().message;
  EXPECT_EQ(ring->channel, "events:bought");
  EXPECT_EQ(ring->payload,
            R"({"s": "s", "n": {"event":"bought","schema":"s","a-b":"c","$id":"5-1"}, "o": "c", )"
            R"("d": null, "i": "5-1"})");
  EXPECT_THAT(rule->ring(entry({{"other", ""}}), reader).error().message,
              testing::HasSubstr("{event}"));
  config.payload = R"({"n": {new}, "o": {old}})";
  rule = StreamRule::compile(config);
  EXPECT_EQ(rule->ring(entry({{"event", "e"}, {"new", "1"}, {"old", "0"}}), reader)->payload,
            R"({"n": "1", "o": "0"})");
  config.reset.clear();
  EXPECT_FALSE(StreamRule::compile(config)) << "an event's channel is not fixed";
}

TEST(StreamRule, CutsWhatIsLargerThanAMessage) {
  JsonReader reader;
  const auto rule = StreamRule::compile(events());
  const StreamEntry large = entry({{"a", std::string(9000, 'x')}});
  Ring ring = *rule->ring(large, reader);
  EXPECT_FALSE(rule->cut_to_size(ring, large, 20000));
  EXPECT_EQ(ring.payload.size(), 9000 + std::string_view(R"({"a":""})").size());
  ring.key = "k";
  EXPECT_TRUE(rule->cut_to_size(ring, large, 9000));
  EXPECT_EQ(ring.payload, R"({"stream":"events","id":"5-1","key":"k","too_large":true})");
}

TEST(StreamState, IsInTheStreamsSlot) {
  RedisMonitorConfig config;
  config.redis.prefix = "peal:";
  for (const char* stream : {"events", "{a}:events", "x{a}y{b}", "{unclosed"}) {
    EXPECT_EQ(redis::slot_of(stream_state_key(config, stream)), redis::slot_of(stream)) << stream;
  }
}

}  // namespace
}  // namespace peal::monitor
