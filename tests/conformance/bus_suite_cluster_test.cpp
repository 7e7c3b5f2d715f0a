// The part of the suite about questions to the whole cluster: every process with a bus is one that
// is asked. What the answers say is made up here.
#include <future>
#include <mutex>
#include <numeric>

#include "bus_suite.hpp"

namespace peal::bus::test {
namespace {

using std::chrono::milliseconds;

ClusterAnswer ask(Bus& bus, ClusterQuery query = {}) {
  const auto promise = std::make_shared<std::promise<ClusterAnswer>>();
  auto future = promise->get_future();
  bus.ask(query, [promise](const ClusterAnswer& answer) { promise->set_value(answer); });
  if (future.wait_for(BusNode::kPatience) == std::future_status::ready) return future.get();
  ADD_FAILURE() << "no answer";
  return {};
}

ClusterAnswer sessions(std::uint64_t count) {
  ClusterAnswer answer;
  answer.asked = answer.answered = 1;
  answer.sessions = count;
  return answer;
}

/// Bus i has 10^i sessions.
ClusterHandler powers_of_ten(std::size_t bus) {
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < bus; ++i)
    count *= 10;
  return [count](const ClusterQuery&, const ClusterDone& done) { done(sessions(count)); };
}

/// Asks again while a link is being made: until so many were asked.
ClusterAnswer ask_until(Bus& bus, std::size_t asked) {
  ClusterAnswer answer;
  const auto until = std::chrono::steady_clock::now() + BusNode::kPatience;
  do {
    answer = ask(bus);
  } while ((answer.error || answer.asked != asked) && std::chrono::steady_clock::now() < until);
  return answer;
}

/// Answers that are kept back.
class KeptBack {
 public:
  ClusterHandler handler() {
    return [this](const ClusterQuery&, ClusterDone done) {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(done));
    };
  }
  void give(const ClusterAnswer& answer) {
    const std::lock_guard lock(mutex_);
    for (const ClusterDone& done : done_)
      done(answer);
    done_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<ClusterDone> done_;
};

TEST_P(SharedBusSuite, EveryProcessIsAskedAndAnyMayAsk) {
  answer_with(powers_of_ten);
  start(3);
  const std::size_t buses = driver().buses();
  for (std::size_t i = 0; i < buses; ++i) {
    const ClusterAnswer answer = ask(driver().bus(i));
    EXPECT_FALSE(answer.error);
    EXPECT_EQ(answer.asked, buses);
    EXPECT_EQ(answer.answered, buses);
    EXPECT_EQ(answer.sessions, buses == 1 ? 1U : 111U);
    EXPECT_TRUE(answer.missing.empty());
  }
}

TEST_P(SharedBusSuite, TheQuestionComesAsItWasAskedAndMayBeAnsweredLater) {
  std::mutex mutex;
  std::vector<ClusterQuery> heard;
  std::vector<std::future<void>> later;
  answer_with([&](std::size_t) -> ClusterHandler {
    return [&](const ClusterQuery& query, ClusterDone done) {
      const std::lock_guard lock(mutex);
      heard.push_back(query);
      later.push_back(std::async(std::launch::async, [done] { done(sessions(1)); }));
    };
  });
  start(2);
  ClusterQuery query;
  query.what = ClusterQuery::What::disconnect_user;
  query.who = "ann";
  query.code = CloseCode::disconnected_for_good;
  query.reason = "go";
  query.within = milliseconds(20'000);
  EXPECT_EQ(ask(driver().bus(0), query).sessions, driver().buses());
  const std::lock_guard lock(mutex);
  ASSERT_EQ(heard.size(), driver().buses());
  for (const ClusterQuery& told : heard) {
    EXPECT_EQ(told.what, query.what);
    EXPECT_EQ(told.who, "ann");
    EXPECT_EQ(told.code, CloseCode::disconnected_for_good);
    EXPECT_EQ(told.reason, "go");
  }
}

TEST_P(SharedBusSuite, WhoHasNothingToAnswerWithIsNotAsked) {
  start(2);
  const ClusterAnswer answer = ask(driver().bus(0));
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.asked, 0U);
  EXPECT_EQ(answer.answered, 0U);
}

TEST_P(SharedBusSuite, ManyQuestionsAtOnceEachGetTheirAnswer) {
  answer_with([](std::size_t) -> ClusterHandler {
    return [](const ClusterQuery& query, const ClusterDone& done) {
      done(sessions(std::stoull(query.who)));
    };
  });
  start(2);
  std::vector<std::future<ClusterAnswer>> answers;
  for (std::size_t i = 1; i <= 16; ++i) {
    ClusterQuery query;
    query.who = std::to_string(i);
    answers.push_back(
        std::async(std::launch::async, [this, query] { return ask(driver().bus(0), query); }));
  }
  for (std::size_t i = 1; i <= 16; ++i)
    EXPECT_EQ(answers[i - 1].get().sessions, i * driver().buses());
}

TEST_P(LinkedBusSuite, WhoDoesNotAnswerInTimeIsNamed) {
  KeptBack kept;
  answer_with([&](std::size_t bus) { return bus == 0 ? kept.handler() : powers_of_ten(bus); });
  start(3);
  ClusterQuery query;
  query.within = milliseconds(100);
  const std::size_t buses = driver().buses();
  const ClusterAnswer answer = ask(driver().bus(buses - 1), query);
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.asked, buses);
  EXPECT_LT(answer.answered, buses);
  ASSERT_FALSE(answer.missing.empty());
  EXPECT_EQ(answer.missing[0].node, "gateway-0");
  EXPECT_EQ(answer.missing[0].why, "did not within 100 ms");
  kept.give(sessions(1'000'000));
  EXPECT_LT(ask(driver().bus(buses - 1), query).sessions, 1'000'000U) << "it came too late";
  kept.give({});
}

TEST_P(LinkedBusSuite, WithoutALinkNobodyCanBeAskedAndWithTheNextAllCan) {
  answer_with(powers_of_ten);
  start(2);
  driver().cut();
  for (std::size_t i = 0; i < size(); ++i)
    ASSERT_TRUE(wait_for_link(i, false));
  const ClusterAnswer answer = ask(driver().bus(0));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, ErrorCode::broker_unavailable);
  driver().heal();
  for (std::size_t i = 0; i < size(); ++i)
    ASSERT_TRUE(wait_for_link(i, true));
  const std::size_t buses = driver().buses();
  EXPECT_EQ(ask_until(driver().bus(0), buses).sessions, buses == 1 ? 1U : 11U);
}

TEST_P(LinkedBusSuite, ABrokerThatIsSilentIsNotWaitedForForEver) {
  answer_with(powers_of_ten);
  start(1);
  driver().freeze();
  ClusterQuery query;
  query.within = milliseconds(100);
  const ClusterAnswer answer = ask(driver().bus(0), query);
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, ErrorCode::broker_unavailable);
  driver().heal();
}

TEST_P(LinkedBusSuite, AfterTheStopAQuestionIsRefused) {
  answer_with(powers_of_ten);
  start(1);
  driver().stop();
  const ClusterAnswer answer = ask(driver().bus(0));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, ErrorCode::broker_unavailable);
}

}  // namespace
}  // namespace peal::bus::test
