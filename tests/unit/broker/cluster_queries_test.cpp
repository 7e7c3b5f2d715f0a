#include "server/cluster_queries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "peal/proto/bus_wire.hpp"

namespace peal::broker {
namespace {

using namespace std::chrono_literals;
using bus::ClusterAnswer;
using bus::ClusterQuery;
using testing::ElementsAre;
using Channels = std::vector<ClusterAnswer::ChannelCount>;

constexpr PeerId kAsker = 100;

/// Keeps what is asked and what is told.
class ClusterQueriesTest : public testing::Test, public QueriesOut {
 protected:
  struct Asked {
    PeerId gateway;
    bus::RequestId id;
    ClusterQuery query;
  };
  struct Told {
    PeerId asker;
    bus::RequestId id;
    ClusterAnswer answer;
  };

  ClusterQueries& queries() {
    if (!queries_) queries_ = std::make_unique<ClusterQueries>(limits, *this);
    return *queries_;
  }
  void gateways(std::size_t count) {
    queries().linked(kAsker, "the asker", false, wire::kVersionQueries);
    for (PeerId peer = 1; peer <= count; ++peer)
      queries().linked(peer, "gateway-" + std::to_string(peer), true, wire::kVersionQueries);
  }
  void ask(bus::RequestId id = 1, const ClusterQuery& query = {}) {
    queries().ask(kAsker, id, query, now);
  }
  static ClusterAnswer sessions(std::uint64_t count) {
    ClusterAnswer answer;
    answer.asked = answer.answered = 1;
    answer.sessions = count;
    return answer;
  }
  static ClusterAnswer listing(Channels channels, bool more = false) {
    ClusterAnswer answer = sessions(0);
    answer.channels = std::move(channels);
    answer.more = more;
    return answer;
  }
  void answer(std::size_t asked_at, const ClusterAnswer& answer) {
    queries().answer(asked[asked_at].gateway, asked[asked_at].id, answer);
  }
  static std::vector<std::string> missing(const ClusterAnswer& answer) {
    std::vector<std::string> all;
    for (const auto& [node, why] : answer.missing)
      all.push_back(node + " " + why);
    return all;
  }

  Limits limits;
  bus::LinkTime now{1h};
  std::vector<Asked> asked;
  std::vector<Told> told;

 private:
  void ask(PeerId gateway, bus::RequestId id, const ClusterQuery& query) override {
    asked.push_back({gateway, id, query});
  }
  void answered(PeerId asker, bus::RequestId id, const ClusterAnswer& answer) override {
    told.push_back({asker, id, answer});
  }
  std::unique_ptr<ClusterQueries> queries_;
};

TEST_F(ClusterQueriesTest, AsksEveryGatewayAndAddsUpWhatTheyFound) {
  gateways(3);
  ClusterQuery query;
  query.what = ClusterQuery::What::disconnect_user;
  query.who = "ann";
  ask(7, query);
  ASSERT_EQ(asked.size(), 3U) << "not the asker, which is no gateway";
  EXPECT_EQ(asked[0].query.who, "ann");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(told.empty());
    ClusterAnswer found = sessions(10 + i);
    found.disconnected = i;
    answer(i, found);
  }
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].asker, kAsker);
  EXPECT_EQ(told[0].id, 7U);
  EXPECT_EQ(told[0].answer.disconnected, 3U);
  EXPECT_EQ(told[0].answer.sessions, 33U);
  EXPECT_EQ(told[0].answer.asked, 3U);
  EXPECT_EQ(told[0].answer.answered, 3U);
  EXPECT_EQ(queries().under_way(), 0U);
}

TEST_F(ClusterQueriesTest, WhoIsLateIsNamedAndHeardNoMore) {
  gateways(3);
  ClusterQuery query;
  query.within = 1500ms;
  ask(1, query);
  answer(0, sessions(5));
  answer(2, sessions(6));
  queries().turn(now + 1499ms);
  EXPECT_TRUE(told.empty());
  queries().turn(now + 1500ms);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.sessions, 11U);
  EXPECT_EQ(told[0].answer.answered, 2U);
  EXPECT_EQ(told[0].answer.asked, 3U);
  EXPECT_THAT(missing(told[0].answer), ElementsAre("gateway-2 did not within 1500 ms"));
  answer(1, sessions(100));
  queries().turn(now + 1h);
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(ClusterQueriesTest, ASecondAnswerAndOneOfAStrangerCountForNothing) {
  gateways(2);
  ask();
  answer(0, sessions(5));
  answer(0, sessions(5));
  queries().answer(kAsker, asked[0].id, sessions(5));
  queries().answer(1, asked[0].id + 1, sessions(5));
  EXPECT_TRUE(told.empty());
  answer(1, sessions(1));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.sessions, 6U);
}

TEST_F(ClusterQueriesTest, AGatewayThatLeavesMeanwhileIsMissing) {
  gateways(2);
  ask();
  queries().left(1, true, now);
  answer(1, sessions(4));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.answered, 1U);
  EXPECT_THAT(missing(told[0].answer), ElementsAre("gateway-1 lost its link meanwhile"));

  ask(2);
  EXPECT_EQ(asked.size(), 3U) << "the one that is left";
  queries().left(2, true, now);
  ASSERT_EQ(told.size(), 2U) << "the last one leaving ends it";
  EXPECT_EQ(told[1].answer.answered, 0U);
}

TEST_F(ClusterQueriesTest, AGatewayThatWasLostStillCountsForAWhile) {
  gateways(3);
  queries().left(2, false, now);
  queries().left(3, true, now);  // said goodbye
  now += 12s;
  ask();
  ASSERT_EQ(asked.size(), 1U);
  answer(0, sessions(1));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.asked, 2U);
  EXPECT_EQ(told[0].answer.answered, 1U);
  EXPECT_THAT(missing(told[0].answer), ElementsAre("gateway-2 lost its link 12 s ago"));

  queries().linked(9, "gateway-2", true, wire::kVersionQueries);
  ask(2);
  EXPECT_EQ(asked.size(), 3U);
  answer(1, sessions(1));
  answer(2, sessions(1));
  EXPECT_EQ(told.back().answer.asked, 2U) << "it is back";

  queries().left(9, false, now);
  now += ClusterQueries::kRemembered + 1s;
  ask(3);
  answer(3, sessions(1));
  EXPECT_EQ(told.back().answer.asked, 1U) << "forgotten";
}

TEST_F(ClusterQueriesTest, ALinkThatANewerOneOfTheSameGatewayReplacesIsNotLost) {
  gateways(1);
  queries().linked(2, "gateway-1", true, wire::kVersionQueries);
  queries().left(1, false, now);
  ask();
  answer(0, sessions(1));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.asked, 1U);
}

TEST_F(ClusterQueriesTest, WhoIsTooOldOrCannotSayIsMissing) {
  gateways(1);
  queries().linked(2, "old", false, wire::kVersionPresence);
  ask();
  ASSERT_EQ(asked.size(), 1U);
  answer(0, bus::failed_answer(fail(ErrorCode::draining, "has stopped")));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.asked, 2U);
  EXPECT_EQ(told[0].answer.answered, 0U);
  EXPECT_THAT(missing(told[0].answer),
              ElementsAre("old is too old to be asked", "gateway-1 has stopped"));
}

TEST_F(ClusterQueriesTest, WithNobodyToAskTheAnswerComesAtOnce) {
  gateways(0);
  ask();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.asked, 0U);
  EXPECT_FALSE(told[0].answer.error);
}

TEST_F(ClusterQueriesTest, AnAskerThatHasGoneIsToldNothingAndItsPlaceIsFree) {
  gateways(1);
  ask();
  queries().left(kAsker, false, now);
  answer(0, sessions(1));
  queries().turn(now + 1h);
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(queries().under_way(), 0U);
}

TEST_F(ClusterQueriesTest, OnePeersQuestionsAreBounded) {
  limits.queries_max = 2;
  gateways(1);
  ask(1);
  ask(2);
  ask(3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].id, 3U);
  ASSERT_TRUE(told[0].answer.error);
  EXPECT_EQ(told[0].answer.error->code, ErrorCode::overloaded);
  EXPECT_THAT(told[0].answer.error->message, testing::HasSubstr("limits.queries_max"));
  queries().ask(1, 1, {}, now);
  EXPECT_EQ(asked.size(), 3U) << "another one's are its own";
  answer(0, sessions(1));
  ask(4);
  EXPECT_EQ(asked.size(), 4U);
}

TEST_F(ClusterQueriesTest, AThousandGatewaysAreAskedAndTheSilentOnesNamedWithinTheBytes) {
  gateways(1000);
  ask();
  ASSERT_EQ(asked.size(), 1000U);
  for (std::size_t i = 0; i < 1000; i += 2)
    answer(i, sessions(3));
  queries().turn(now + 1s);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.sessions, 1500U);
  EXPECT_EQ(told[0].answer.answered, 500U);
  EXPECT_EQ(told[0].answer.missing.size(), 500U);

  limits.query_bytes_max = 1000;
  ask(2);
  queries().turn(now + 2s);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].answer.asked, 1000U);
  EXPECT_EQ(told[1].answer.answered, 0U);
  EXPECT_LT(told[1].answer.missing.size(), 30U);
  EXPECT_FALSE(told[1].answer.missing.empty());
}

TEST_F(ClusterQueriesTest, ChannelsArePutTogetherByName) {
  gateways(3);
  ask();
  answer(0, listing({{"a", 1}, {"c", 2}}));
  answer(1, listing({}));
  answer(2, listing({{"b", 5}, {"c", 3}}));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.channels, (Channels{{"a", 1}, {"b", 5}, {"c", 5}}));
  EXPECT_FALSE(told[0].answer.more);
}

TEST_F(ClusterQueriesTest, WhatOneHasNotListedIsLeftForTheNextPage) {
  gateways(2);
  ClusterQuery query;
  query.limit = 3;
  ask(1, query);
  // The first may have more subscribers of d, which it did not come to.
  answer(1, listing({{"d", 1}, {"e", 1}}));
  answer(0, listing({{"a", 1}, {"b", 1}, {"c", 1}}, true));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.channels, (Channels{{"a", 1}, {"b", 1}, {"c", 1}}));
  EXPECT_TRUE(told[0].answer.more);
}

TEST_F(ClusterQueriesTest, AListIsCutAtItsLimitAndAtItsBytes) {
  limits.query_bytes_max = 100;
  gateways(2);
  ClusterQuery query;
  query.limit = 2;
  ask(1, query);
  answer(0, listing({{"c", 1}, {"d", 1}}));
  answer(1, listing({{"a", 1}, {"d", 1}}));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].answer.channels, (Channels{{"a", 1}, {"c", 1}}));
  EXPECT_TRUE(told[0].answer.more);

  query.limit = 1000;
  ask(2, query);
  answer(2, listing({{std::string(60, 'a'), 1}, {std::string(60, 'b'), 1}}));
  answer(3, listing({{std::string(60, 'b'), 4}}));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].answer.channels, (Channels{{std::string(60, 'a'), 1}}));
  EXPECT_TRUE(told[1].answer.more) << "never empty, so that the pages come to an end";
}

TEST_F(ClusterQueriesTest, PagesOfAnyCutAddUpToTheTruth) {
  gateways(3);
  // Gateway g has every channel whose number g divides.
  const auto name = [](int i) { return "c" + std::to_string(1000 + i); };
  const auto page_of = [&](int gateway, const ClusterQuery& query) {
    Channels page;
    bool more = false;
    for (int i = 0; i < 60; i += gateway) {
      if (name(i) <= query.after) continue;
      more = page.size() == query.limit;
      if (more) break;
      page.push_back({name(i), static_cast<std::uint64_t>(gateway)});
    }
    return listing(page, more);
  };
  for (std::size_t limit = 1; limit < 30; ++limit) {
    Channels all;
    ClusterQuery query;
    query.limit = limit;
    for (bool more = true; more;) {
      asked.clear();
      ask(1, query);
      for (const std::size_t i : {2U, 0U, 1U})
        answer(i, page_of(static_cast<int>(i) + 1, query));
      const ClusterAnswer& page = told.back().answer;
      ASSERT_LE(page.channels.size(), limit);
      all.insert(all.end(), page.channels.begin(), page.channels.end());
      more = page.more;
      if (more) query.after = all.back().name;
    }
    ASSERT_EQ(all.size(), 60U) << limit;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t truth = 1U + (i % 2 == 0 ? 2U : 0U) + (i % 3 == 0 ? 3U : 0U);
      EXPECT_EQ(all[static_cast<std::size_t>(i)], (ClusterAnswer::ChannelCount{name(i), truth}));
    }
  }
}

}  // namespace
}  // namespace peal::broker
