// One broker of three: when it serves, which channels, in whose place, and what it says of it.
#include "server/membership.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peal::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MembershipTest : public testing::Test {
 protected:
  static constexpr std::size_t kA = 0, kB = 1, kC = 2;

  Membership& make(StoreKind store = StoreKind::memory) {
    members_.emplace(Membership::Config{"b", {"a", "b", "c"}, store, 3s}, now);
    return *members_;
  }
  Membership& m() { return *members_; }
  Membership::Changes turn(std::chrono::milliseconds later = 0ms) {
    now += later;
    return m().turn(now);
  }
  void see(std::size_t member, bool ready, std::uint32_t view = 0) {
    m().see(member, true, ready, view);
  }
  void others_look_anew() {
    ++view_;
    see(kA, true, view_);
    see(kC, true, view_);
  }
  /// All three serve, the others having seen that this one does.
  void settle() {
    see(kA, true);
    see(kC, true);
    turn(3s);
    others_look_anew();
    turn();
    ASSERT_TRUE(m().ready());
  }
  /// A channel that these serve in this order.
  std::string ranked(std::vector<std::size_t> order) {
    for (int i = 0;; ++i) {
      const std::string name = "job:" + std::to_string(i);
      if (m().ranks().order(stable_hash(name)) == order) return name;
    }
  }

  TimePoint now{100s};
  std::optional<Membership> members_;
  std::uint32_t view_ = 0;
};

TEST_F(MembershipTest, AloneItServesAllAtOnce) {
  Membership alone({"b", {}, StoreKind::memory, 3s}, now);
  EXPECT_TRUE(alone.alone());
  EXPECT_TRUE(alone.ready());
  EXPECT_FALSE(alone.why_not("job:1"));
  EXPECT_FALSE(alone.stands_in("job:1"));
  EXPECT_FALSE(alone.turn(now).any());
}

TEST_F(MembershipTest, ItListensBeforeItServes) {
  make();
  EXPECT_FALSE(turn().any());
  EXPECT_EQ(m().why_not("job:1")->code, ErrorCode::not_ready);
  EXPECT_THAT(m().why_not_ready(), HasSubstr("limits.broker_settle"));
  EXPECT_FALSE(turn(2900ms).served);
  EXPECT_TRUE(turn(100ms).served);
  EXPECT_TRUE(m().ready());
  EXPECT_THAT(m().why_not_ready(), IsEmpty());
}

TEST_F(MembershipTest, TheFirstInRankThatServesIsTheServer) {
  make();
  settle();
  const std::string mine = ranked({kB, kA, kC});
  const std::string as = ranked({kA, kB, kC});
  const std::string cs = ranked({kC, kA, kB});
  EXPECT_FALSE(m().why_not(mine));
  EXPECT_EQ(m().why_not(as)->code, ErrorCode::not_owner);
  EXPECT_THAT(m().why_not(as)->message, HasSubstr("the broker a"));
  see(kA, false);
  EXPECT_THAT(turn().gone, ElementsAre(kA));
  EXPECT_FALSE(m().why_not(as));
  EXPECT_TRUE(m().stands_in(as));
  EXPECT_FALSE(m().stands_in(mine));
  EXPECT_EQ(m().why_not(cs)->code, ErrorCode::not_owner);
  m().see(kC, false, false, 0);
  turn();
  EXPECT_FALSE(m().why_not(cs));
  see(kA, true);
  EXPECT_THAT(turn().back, ElementsAre(kA));
  EXPECT_EQ(m().server_of(cs), kA);
}

TEST_F(MembershipTest, WhoComesBackServesOnceTheOthersHaveStopped) {
  make();
  see(kA, true, 7);
  see(kC, true, 9);
  EXPECT_FALSE(turn(3s).served);
  EXPECT_TRUE(m().comes()) << "the others hear of it first";
  EXPECT_EQ(m().why_not("job:1")->code, ErrorCode::not_ready);
  see(kA, true, 8);
  EXPECT_FALSE(turn().served) << "c may still stand in";
  see(kC, true, 10);
  EXPECT_TRUE(turn().served);
}

TEST_F(MembershipTest, WhoDoesNotStopOrIsGoneIsNotWaitedForLong) {
  make();
  see(kA, true, 7);
  see(kC, true, 9);
  turn(3s);
  m().see(kC, false, false, 0);
  EXPECT_FALSE(turn(900ms).served);
  see(kC, true, 9);  // back, and of that nothing is to be awaited
  EXPECT_FALSE(turn().served);
  EXPECT_TRUE(turn(100ms).served);
}

TEST_F(MembershipTest, WhoComesWithTheOthersWaitsForNobody) {
  make();
  see(kA, false);
  EXPECT_TRUE(turn(3s).served);
}

TEST_F(MembershipTest, WhoStandsInMarksWhenItHandsBack) {
  make();
  settle();
  const Epoch first = *Epoch::parse("00000001");
  const Epoch second = *Epoch::parse("00000002");
  EXPECT_FALSE(m().stood_in_for(kA));
  m().stood_in(ranked({kA, kB, kC}));
  EXPECT_TRUE(m().stood_in_for(kA));
  EXPECT_FALSE(m().stood_in_for(kC)) << "it comes after this one";
  EXPECT_FALSE(m().mark_for(kA)) << "it is not over";
  m().hand_back(kA, first);
  EXPECT_EQ(m().mark_for(kA), first);
  EXPECT_FALSE(m().stood_in_for(kA));
  m().stood_in(ranked({kC, kA, kB}));
  EXPECT_TRUE(m().stood_in_for(kA));
  EXPECT_TRUE(m().stood_in_for(kC));
  m().hand_back(kC, second);
  EXPECT_EQ(m().mark_for(kA), first);
  EXPECT_EQ(m().mark_for(kC), second);
  EXPECT_TRUE(m().comes_first(kC, ranked({kC, kA, kB})));
  EXPECT_FALSE(m().comes_first(kC, ranked({kB, kC, kA})));
}

TEST_F(MembershipTest, LogsOnDiskWaitForTheirOwner) {
  make(StoreKind::disk);
  settle();
  const std::string as = ranked({kA, kB, kC});
  m().see(kA, false, false, 0);
  turn();
  EXPECT_EQ(m().why_not(as)->code, ErrorCode::broker_unavailable);
  EXPECT_THAT(m().why_not(as)->message, HasSubstr("at the broker a"));
  EXPECT_FALSE(m().server_of(as));
  EXPECT_FALSE(m().stands_in(as));
  EXPECT_FALSE(m().why_not(ranked({kB, kA, kC})));
}

TEST_F(MembershipTest, LogsInRedisAreEverybodys) {
  make(StoreKind::redis);
  settle();
  EXPECT_FALSE(m().why_not(ranked({kA, kB, kC})));
  EXPECT_FALSE(m().stands_in(ranked({kA, kB, kC})));
}

TEST_F(MembershipTest, AQuarrelEndsServiceUntilItIsSettled) {
  make();
  settle();
  m().quarrel("a knows a, b; b knows a, b, c", now);
  EXPECT_TRUE(turn().served);
  EXPECT_THAT(m().why_not("job:1")->message, HasSubstr("a knows a, b"));
  m().quarrel("c knows c", now);
  EXPECT_THAT(m().why_not_ready(), HasSubstr("a knows a, b")) << "one reason, not each in turn";
  // Heard again and again it goes on.
  for (int i = 0; i < 10; ++i) {
    m().quarrel("a knows a, b; b knows a, b, c", now);
    turn(2s);
    EXPECT_FALSE(m().ready());
  }
  turn(4s);
  EXPECT_FALSE(m().ready()) << "it listens again first";
  turn(2900ms);
  EXPECT_FALSE(m().ready());
  turn(200ms);
  others_look_anew();
  EXPECT_TRUE(turn().served);
}

TEST_F(MembershipTest, AfterAStandstillItListensAgain) {
  make();
  settle();
  m().begin_again(now);
  EXPECT_TRUE(turn().served);
  EXPECT_FALSE(m().ready());
  turn(3s);
  others_look_anew();
  EXPECT_TRUE(turn().served);
  EXPECT_TRUE(m().ready());
}

}  // namespace
}  // namespace peal::broker
