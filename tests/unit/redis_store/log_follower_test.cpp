// LogFollower between a log and its channel that have no common order: what is published gets lost
// with the subscription, or silently; answers are late; epochs end; Redis is put back to what it
// was. Whatever happens, what is told is the log in order and once, or a reset, and in the end all
// of it. PEAL_SEED=n repeats one run, PEAL_HISTORIES=n runs more.

#include "redis_store/log_follower.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <random>

#include "disk/rows.hpp"

namespace peal::redis_store {
namespace {

using What = LogFollower::Question::What;
constexpr std::size_t kKept = 8;
constexpr std::size_t kPage = 3;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// A log and what its script would publish.
struct Redis {
  int epochs = 0;
  std::vector<std::string> payloads;  ///< by offset - 1

  Epoch epoch() const { return *Epoch::parse(std::to_string(10'000'000 + epochs)); }
  Head head() const {
    const std::uint64_t top = payloads.size();
    return {epoch(), {top}, {top > kKept ? top - kKept : 0}};
  }
  std::string begin() {
    ++epochs;
    payloads.clear();
    return "b" + std::string(epoch().view()) + "0 0\n";
  }
  std::string append(const std::string& payload) {
    PublicationView publication;
    const std::string others = disk::encode(publication);
    payloads.push_back(payload);
    return "a" + std::string(epoch().view()) + std::to_string(payloads.size() - 1) + " " +
           std::to_string(payloads.size()) + " 0 " + std::to_string(others.size()) + " " +
           std::to_string(payload.size()) + "\n" + others + payload;
  }
};

class Course final : public FollowerOut {
 public:
  explicit Course(std::uint64_t seed) : random_(seed) {}

  void run() {
    (void)redis_.begin();
    if (pick(3) != 0) turn_subscription();
    follower_.want_head();
    for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step)
      act(pick(20));
    settle();
    EXPECT_TRUE(follower_.following());
    EXPECT_EQ(at_, redis_.head().position());
  }
  std::size_t told = 0, resets = 0, ended = 0, pages = 0;

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void act(std::uint64_t choice) {
    if (choice < 6) return append();
    if (choice < 10) return deliver();
    if (choice < 14) return ask();
    if (choice < 18) return answer();
    if (pick(6) != 0) return;
    switch (pick(6)) {
      case 0:
        return publish(redis_.begin() + redis_.append(payload()));
      case 1:  // FLUSHALL: nobody says so, until something is done
        if (pick(2) == 0) return;
        return publish(redis_.begin());
      case 2:
        return lose();
      case 3:
        return put_back();
      case 4:
        follower_.want_head();
        return;
      default:
        return turn_subscription();
    }
  }

  std::string payload() { return std::to_string(++payloads_); }
  void append() {
    if (!put_back_) publish(redis_.append(payload()));
  }
  void publish(const std::string& message) {
    put_back_ = false;
    remember();
    if (subscribed_) channel_.push_back(message);
  }
  void remember() {
    auto& all = past_[redis_.epoch()];
    if (all.size() < redis_.payloads.size()) all = redis_.payloads;
  }
  void turn_subscription() {
    if (subscribed_) {
      subscribed_ = false;
      channel_.clear();
      follower_.broken();
    } else {
      subscribed_ = true;
      follower_.subscribed();
    }
  }
  /// Nothing says so; whoever notices does by what follows, or is asked anew.
  void lose() {
    if (!channel_.empty()) channel_.pop_front();
    if (pick(2) == 0) follower_.want_head();
  }
  /// An older state comes back, and with it the connections are lost.
  void put_back() {
    if (subscribed_) turn_subscription();
    if (redis_.payloads.empty()) return;
    const std::size_t kept = pick(redis_.payloads.size());
    // Who was told less than that can't know, and needn't.
    redis_.payloads.resize(kept);
    put_back_ = true;
    if (at_.epoch == redis_.epoch() && at_.offset.value > kept) return;
    publish(redis_.begin());
  }
  void deliver() {
    if (channel_.empty()) return;
    const std::string message = std::move(channel_.front());
    channel_.pop_front();
    follower_.hear(message, *this);
  }
  void ask() {
    const auto question = follower_.ask();
    if (!question) return;
    if (pick(8) == 0) return follower_.failed(question->number);
    questions_.push_back(*question);
  }
  void answer() {
    if (questions_.empty()) return;
    const auto question = questions_.front();
    questions_.pop_front();
    if (question.what == What::end && question.epoch == redis_.epoch()) {
      ++ended;
      publish(redis_.begin());
    }
    if (question.what != What::page) {
      answers_.emplace_back([this, question, standing = Standing{redis_.head()}] {
        follower_.answered(question.number, standing, *this);
      });
    } else {
      ++pages;
      answers_.emplace_back([this, question, redis = redis_] { answer_page(question, redis); });
    }
    while (!answers_.empty() && pick(3) != 0)
      take_answer();
  }
  void take_answer() {
    const auto answer = std::move(answers_.front());
    answers_.pop_front();
    answer();
  }
  void answer_page(const LogFollower::Question& question, const Redis& redis) {
    bus::Page page;
    page.head = redis.head();
    std::vector<PublicationView> publications;
    if (question.epoch != redis.epoch() || !page.head.covers({question.epoch, question.after})) {
      page.error = fail(ErrorCode::position_lost, "");
    } else {
      page.after = page.to = question.after;
      for (auto i = question.after.value; i < redis.payloads.size() && publications.size() < kPage;
           ++i) {
        publications.emplace_back();
        publications.back().offset = page.to = {i + 1};
        publications.back().payload = redis.payloads[i];
      }
    }
    page.publications = publications;
    follower_.answered(question.number, page, *this);
  }
  void settle() {
    if (!subscribed_) turn_subscription();
    follower_.want_head();
    for (int i = 0; i < 1000 && !testing::Test::HasFailure(); ++i) {
      deliver();
      if (const auto question = follower_.ask()) questions_.push_back(*question);
      answer();
      while (!answers_.empty())
        take_answer();
    }
  }

  void on_found(const Head& head) override {
    EXPECT_FALSE(found_);
    found_ = true;
    at_ = head.position();
  }
  void on_reset(const Head& head) override {
    ++resets;
    EXPECT_TRUE(found_);
    at_ = head.position();
  }
  void on_appended(const Epoch& epoch, const PublicationView& publication) override {
    ++told;
    EXPECT_TRUE(found_);
    EXPECT_EQ(epoch, at_.epoch);
    EXPECT_EQ(publication.offset, at_.offset.next());
    const auto& all = past_[epoch];
    ASSERT_LE(publication.offset.value, all.size());
    EXPECT_EQ(publication.payload, all[publication.offset.value - 1]);
    at_.offset = publication.offset;
  }

  std::mt19937_64 random_;
  Redis redis_;
  std::map<Epoch, std::vector<std::string>> past_;
  LogFollower follower_;
  bool subscribed_ = false, found_ = false, put_back_ = false;
  std::deque<std::string> channel_;
  std::deque<LogFollower::Question> questions_;
  std::deque<std::function<void()>> answers_;
  Position at_;
  int payloads_ = 0;
};

TEST(LogFollower, TellsTheLogInOrderAndOnceOrAReset) {
  const auto seed = from_environment("PEAL_SEED", std::random_device{}());
  const auto histories = from_environment("PEAL_HISTORIES", 3000);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::size_t told = 0, resets = 0, ended = 0, pages = 0;
  for (std::uint64_t i = 0; i < histories; ++i) {
    SCOPED_TRACE("repeat with PEAL_HISTORIES=1 PEAL_SEED=" + std::to_string(seed + i));
    Course run(seed + i);
    run.run();
    if (HasFailure()) return;
    told += run.told;
    resets += run.resets;
    ended += run.ended;
    pages += run.pages;
  }
  std::printf("%zu told, %zu resets, %zu epochs ended, %zu pages\n", told, resets, ended, pages);
  if (histories < 1000) return;
  EXPECT_GT(told, histories * 5);
  EXPECT_GT(resets, histories / 2);
  EXPECT_GT(ended, histories / 100);
  EXPECT_GT(pages, histories / 2);
}

TEST(LogFollower, AnAnswerToAQuestionFromBeforeItBeganAnewIsNotTaken) {
  class Nobody final : public FollowerOut {
   public:
    void on_found(const Head&) override { ++found; }
    void on_reset(const Head&) override {}
    void on_appended(const Epoch&, const PublicationView&) override {}
    int found = 0;
  } out;
  LogFollower follower;
  follower.subscribed();
  const auto old = follower.ask();
  ASSERT_TRUE(old);
  follower.restart();
  follower.subscribed();
  const auto anew = follower.ask();
  ASSERT_TRUE(anew);
  follower.answered(old->number, Standing{}, out);
  EXPECT_EQ(out.found, 0);
  follower.answered(anew->number, Standing{}, out);
  EXPECT_EQ(out.found, 1);
  EXPECT_TRUE(follower.following());
}

}  // namespace
}  // namespace peal::redis_store
