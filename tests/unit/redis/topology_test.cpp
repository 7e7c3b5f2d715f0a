#include "redis/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/greeting.hpp"

namespace peal::redis {
namespace {

using testing::HasSubstr;

constexpr std::string_view kNodes =
    "07c3 127.0.0.1:30004@31004,host4 slave e7d1 0 1426238317239 4 connected\n"
    "67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922\r\n"
    "292f ::1:30003@31003,,tls-port=0 master - 0 1426238318243 9 connected 10923-16382\n"
    "6ec2 127.0.0.1:30005@31005 master,fail - 0 1426238316232 1 disconnected\n"
    "e7d1 :30001@31001 myself,master - 0 0 1 connected 0-5460 16383 [93-<-292f] [77->-67ed]\n";

TEST(RedisTopology, ReadsTheNodesOfACluster) {
  const auto topology = Topology::from_cluster_nodes(kNodes, "10.0.0.1");
  ASSERT_FALSE(topology.has_error()) << topology.error().message;
  ASSERT_EQ(topology->masters.size(), 3U);
  EXPECT_EQ(topology->masters[0].id, "67ed");
  EXPECT_EQ(topology->masters[0].endpoint.to_string(), "127.0.0.1:30002");
  EXPECT_EQ(topology->masters[1].endpoint.to_string(), "[::1]:30003");
  EXPECT_EQ(topology->masters[2].endpoint.to_string(), "10.0.0.1:30001");
  EXPECT_EQ(topology->owners[0], 2U);
  EXPECT_EQ(topology->owners[93], 2U);
  EXPECT_EQ(topology->owners[5461], 0U);
  EXPECT_EQ(topology->owners[16382], 1U);
  EXPECT_EQ(topology->owners[16383], 2U);
  EXPECT_EQ(topology->epoch(), 9U);
  EXPECT_EQ(topology->slots_without_master(), 0U);
}

TEST(RedisTopology, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"", "hello\n", "a 1.1.1.1:1@2 master - 0 0 x connected\n",
                           "a 1.1.1.1:1@2 master - 0 0 1 connected 5-99999\n",
                           "a 1.1.1.1@2 master - 0 0 1 connected 5\n",
                           "a 1.1.1.1:1@2 master - 0 0 1 connected 7-x\n"}) {
    EXPECT_TRUE(Topology::from_cluster_nodes(text, "h").has_error()) << text;
  }
}

Reply texts(std::initializer_list<const char*> words) {
  Reply reply{.type = Reply::Type::array};
  for (const char* word : words)
    reply.elements.push_back({.type = Reply::Type::text, .text = word});
  return reply;
}

TEST(RedisTopology, TakesTheMasterThatASentinelNames) {
  const Reply master =
      texts({"name", "mymaster", "ip", "::1", "port", "6379", "config-epoch", "12"});
  const auto topology = Topology::from_sentinel(master, texts({"::1", "6379"}));
  ASSERT_FALSE(topology.has_error());
  EXPECT_EQ(topology->masters[0].endpoint.to_string(), "[::1]:6379");
  EXPECT_EQ(topology->epoch(), 12U);
  EXPECT_EQ(topology->owners[16383], 0U);
  EXPECT_TRUE(Topology::from_sentinel(texts({"ip", "::1"}), texts({"::1", "6379"})).has_error());
  EXPECT_TRUE(Topology::from_sentinel(master, texts({})).has_error());
  EXPECT_TRUE(Topology::from_sentinel(master, texts({"::1", "port"})).has_error());
}

TEST(RedisTopology, TakesTheNewMasterWhileTheSentinelThatLeadsStillListsTheOldOne) {
  const Reply master = texts({"ip", "10.0.0.1", "port", "6379", "flags",
                              "master,failover_in_progress", "config-epoch", "2"});
  const auto topology = Topology::from_sentinel(master, texts({"10.0.0.2", "6379"}));
  ASSERT_FALSE(topology.has_error());
  EXPECT_EQ(topology->masters[0].endpoint.to_string(), "10.0.0.2:6379");
  EXPECT_EQ(topology->epoch(), 2U);
}

std::string judged(const Config& config, const std::string& info) {
  Greeting greeting(Greeting::Kind::master, config);
  std::vector<Reply> replies(greeting.commands().size() - 1, {.type = Reply::Type::status});
  replies.push_back({.type = Reply::Type::text, .text = info});
  return greeting.judge(replies);
}

constexpr const char* kGood =
    "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\nloading:0\r\nrole:master\r\n"
    "cluster_enabled:0\r\nmaxmemory_policy:noeviction\r\n";

std::string with(std::string from, std::string to) {
  std::string info = kGood;
  return info.replace(info.find(from), from.size(), to);
}

TEST(RedisGreeting, SaysWhoWeAreAndAsksWhoItIs) {
  Greeting greeting(Greeting::Kind::master, {.user = "u", .password = "p", .database = 3});
  EXPECT_THAT(greeting.commands(), testing::ElementsAre(testing::ElementsAre("AUTH", "u", "p"),
                                                        testing::ElementsAre("SELECT", "3"),
                                                        testing::ElementsAre("INFO")));
  EXPECT_THAT(
      Greeting(Greeting::Kind::sentinel, {.password = "p", .sentinel_password = "s"}).commands(),
      testing::ElementsAre(testing::ElementsAre("AUTH", "s")));
}

TEST(RedisGreeting, TakesOnlyARedisThatKeepsWhatIsWritten) {
  EXPECT_EQ(judged({}, kGood), "");
  EXPECT_THAT(judged({}, with("role:master", "role:slave\r\nmaster_host:h\r\nmaster_port:1")),
              HasSubstr("replica of h:1"));
  EXPECT_THAT(judged({}, with("noeviction", "allkeys-lru")), HasSubstr("allkeys-lru"));
  EXPECT_EQ(judged({.allow_eviction = true}, with("noeviction", "allkeys-lru")), "");
  EXPECT_THAT(judged({}, with("loading:0", "loading:1")), HasSubstr("loading"));
  EXPECT_THAT(judged({}, with("cluster_enabled:0", "cluster_enabled:1")), HasSubstr("cluster"));
  EXPECT_THAT(judged({.mode = "cluster"}, kGood), HasSubstr("no Cluster's node"));
  EXPECT_THAT(judged({}, "hello"), HasSubstr("is it a Redis"));
}

}  // namespace
}  // namespace peal::redis
