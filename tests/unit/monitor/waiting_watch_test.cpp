#include "redis/waiting_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log_capture.hpp"

namespace peal::monitor {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class WaitingWatchTest : public testing::Test {
 protected:
  std::vector<std::string> said() { return log_->lines(); }
  void left(std::uint64_t entries, std::uint64_t ceiling) {
    watch_.measured({ceiling - entries, 0, ceiling, entries}, now_);
  }
  void remembered(std::uint64_t used, std::uint64_t max, std::string_view policy) {
    watch_.remembered({used, max, policy}, now_);
  }

  std::shared_ptr<test::LogCapture> log_ = std::make_shared<test::LogCapture>();
  WaitingWatch watch_{100, runtime::Logger(log_)};
  WaitingWatch::Time now_{seconds(1000)};
};

TEST_F(WaitingWatchTest, SaysOnceAMinuteThatMuchWaits) {
  watch_.measured({100}, now_);
  EXPECT_THAT(said(), IsEmpty());
  watch_.measured({101, 2000}, now_);
  watch_.measured({102}, now_ + seconds(59));
  EXPECT_THAT(said(), ElementsAre(HasSubstr("much waits in Redis entries=101 bytes=2000")));
  watch_.measured({103}, now_ + seconds(60));
  EXPECT_EQ(said().size(), 2U);
  EXPECT_EQ(watch_.waiting().entries, 103U);
  watch_.forget();
  EXPECT_EQ(watch_.waiting().entries, 0U);
}

TEST_F(WaitingWatchTest, SaysThatAStreamIsHalfUnreadWhenItStaysSo) {
  left(50, 100);
  left(50, 100);
  left(49, 100);
  left(90, 100);
  left(49, 100);
  EXPECT_THAT(said(), IsEmpty());
  left(40, 100);
  left(0, 100);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("entries=60 entries_left=40")));
}

TEST_F(WaitingWatchTest, SaysWhatAFullRedisWillDo) {
  watch_.measured({1}, now_);
  remembered(900, 0, "noeviction");
  remembered(800, 1000, "noeviction");
  EXPECT_THAT(said(), IsEmpty());
  remembered(801, 1000, "volatile-lru");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("soon it refuses to write")));
  remembered(802, 1000, "noeviction");
  EXPECT_EQ(said().size(), 1U);
}

TEST_F(WaitingWatchTest, SaysThatRedisMayEvictEvenWhileNothingWaits) {
  remembered(1, 1000, "allkeys-lru");
  remembered(1, 1000, "allkeys-lru");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("policy=allkeys-lru")));
  watch_.measured({1}, now_);
  remembered(900, 1000, "allkeys-lru");
  EXPECT_THAT(said().back(), HasSubstr("soon it evicts keys"));
}

TEST(RedisMemory, IsReadFromInfo) {
  const auto memory = RedisMemory::parse(
      "# Memory\r\nused_memory:1017704\r\nused_memory_human:993.85K\r\nmaxmemory:2000000\r\n"
      "maxmemory_human:2M\r\nmaxmemory_policy:allkeys-lfu\r\n");
  EXPECT_EQ(memory.used_bytes, 1017704U);
  EXPECT_EQ(memory.max_bytes, 2000000U);
  EXPECT_EQ(memory.policy, "allkeys-lfu");
  EXPECT_EQ(RedisMemory::parse("").max_bytes, 0U);
}

}  // namespace
}  // namespace peal::monitor
