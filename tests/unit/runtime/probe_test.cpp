#include "peal/runtime/probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <thread>

#include "peal/proto/json.hpp"

namespace peal::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

class ShardProbe final : public Probe {
 public:
  explicit ShardProbe(std::string_view policy) : policy_(policy) {}
  void message_sent(std::uint64_t n) { sent_.add(n); }
  void collect(MetricSink& sink) const override {
    sink.counter("peal_messages_sent_total", "Messages sent", static_cast<double>(sent_.value()));
    sink.counter("peal_dropped_total", "Dropped", 1, {{"policy", policy_}});
    sink.gauge("peal_load", "Load", 0.5);
  }

 private:
  std::string_view policy_;
  Counter sent_;
};

TEST(ProbeRegistryTest, SumsEqualSeriesAndKeepsOthersApart) {
  ProbeRegistry registry;
  ShardProbe one("close");
  ShardProbe two("drop");
  const auto first = registry.add(one);
  const auto second = registry.add(two);
  one.message_sent(40);
  two.message_sent(2);
  const std::string text = registry.text();
  EXPECT_THAT(text, HasSubstr("# HELP peal_messages_sent_total Messages sent\n"
                              "# TYPE peal_messages_sent_total counter\n"
                              "peal_messages_sent_total 42\n"));
  EXPECT_THAT(text, HasSubstr("peal_dropped_total{policy=\"close\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("peal_dropped_total{policy=\"drop\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE peal_load gauge\npeal_load 1\n"));
}

TEST(ProbeRegistryTest, ForgetsAProbeWithItsHandle) {
  ProbeRegistry registry;
  ShardProbe probe("close");
  auto handle = registry.add(probe);
  EXPECT_THAT(registry.text(), HasSubstr("peal_load"));
  handle.reset();
  EXPECT_THAT(registry.text(), Not(HasSubstr("peal_load")));
}

TEST(ProbeRegistryTest, AHandleMayOutliveTheRegistry) {
  auto registry = std::make_unique<ProbeRegistry>();
  ShardProbe probe("close");
  auto handle = registry->add(probe);
  registry.reset();
  EXPECT_NO_THROW(handle.reset());
}

TEST(ProbeRegistryTest, JsonIsFlatAndValid) {
  class Odd final : public Probe {
    void collect(MetricSink& sink) const override {
      sink.gauge("peal_odd", "Odd", 1, {{"b", "say \"x\"\n"}, {"a", "\\"}});
      sink.gauge("peal_nan", "NaN", std::numeric_limits<double>::quiet_NaN());
      sink.gauge("peal_half", "Half", 2.5);
      sink.counter("peal_large_total", "Large", 1e12);
    }
  };
  ProbeRegistry registry;
  EXPECT_EQ(registry.json(), "{}");
  const Odd odd;
  const auto handle = registry.add(odd);
  const std::string json = registry.json();
  JsonReader reader;
  ASSERT_TRUE(reader.validate(json)) << json;
  const auto fields = reader.fields(json);
  ASSERT_TRUE(fields);
  ASSERT_EQ((*fields)->size(), 4U);
  EXPECT_EQ((**fields)[0].key, "peal_half");
  EXPECT_EQ((**fields)[0].raw, "2.5");
  EXPECT_EQ((**fields)[1].raw, "1000000000000");
  EXPECT_EQ((**fields)[2].raw, "null");
  EXPECT_EQ((**fields)[3].key, R"(peal_odd{a="\\",b="say \"x\"\n"})");
}

TEST(ProbeRegistryTest, IsReadWhileOwnersCountAndProbesComeAndGo) {
  ProbeRegistry registry;
  std::jthread counting([&registry](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ShardProbe probe("close");
      const auto handle = registry.add(probe);
      for (int i = 0; i < 100; ++i)
        probe.message_sent(1);
    }
  });
  for (int i = 0; i < 200; ++i) {
    JsonReader reader;
    ASSERT_TRUE(reader.validate(registry.json()));
  }
}

}  // namespace
}  // namespace peal::runtime
