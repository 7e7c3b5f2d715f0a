// log.lua, in a real Redis: the same histories against the same model as Log, with what it
// publishes; and what only a log in Redis has to do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log_history.hpp"
#include "plain_redis.hpp"
#include "redis_store/log_script.hpp"

namespace peal::redis_store {
namespace {

using broker::TimePoint;
using peal::test::PlainRedis;
using peal::test::RedisServer;
using redis::Reply;

const Epoch kFirst = *Epoch::parse("00000001");
const Epoch kSecond = *Epoch::parse("00000002");
const Epoch kThird = *Epoch::parse("00000003");

/// One channel's log in Redis, called as the store does.
class ScriptedLog final : public broker::test::TestedLog {
 public:
  ScriptedLog(PlainRedis& redis, std::string channel, const Epoch& epoch,
              const broker::ChannelOptions& options, const Limits& limits, PlainRedis* heard)
      : redis_(redis),
        heard_(heard),
        channel_(std::move(channel)),
        options_(options),
        limits_(limits),
        fresh(epoch) {
    if (heard_ != nullptr) (void)heard_->ask({"SUBSCRIBE", keys_.told_on(channel_)});
  }
  ~ScriptedLog() override {
    if (heard_ != nullptr) (void)heard_->ask({"UNSUBSCRIBE", keys_.told_on(channel_)});
    std::vector<std::string> all = keys_.keys(channel_);
    all.insert(all.begin(), "DEL");
    (void)redis_.ask(all);
  }

  Reply ask(std::string_view operation, TimePoint now,
            const std::function<void(std::vector<std::string>&)>& complete = {}) {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
    const Frame frame{.keys = keys_,
                      .channel = channel_,
                      .options = options_,
                      .limits = limits_,
                      .publish_verb = "PUBLISH",
                      .time = std::to_string(since.count()),
                      .fresh = fresh,
                      .keeps_over_restart = keeps_over_restart};
    auto args = call(frame, operation, sha_);
    args[kMastershipAt] = std::to_string(config_epoch);
    args[kMastershipAt + 1] = run_id;
    if (complete) complete(args);
    Reply reply = redis_.ask(args);
    if (sha_.empty()) sha_ = redis_.ask({"SCRIPT", "LOAD", std::string(log_script())}).text;
    return reply;
  }

  bus::Published append(const bus::PublishRequest& request, TimePoint now,
                        const Epoch& replacing) override {
    reply_ = ask("append", now, [&](auto& args) { add_publish(args, request, replacing); });
    const auto outcomes = outcomes_of(reply_);
    if (!outcomes || outcomes->size() != 1) {
      ADD_FAILURE() << reply_.text;
      return {};
    }
    bus::Published outcome = outcomes->front().published;
    outcome.id = request.id;
    const bool appended = outcome.status == bus::Published::Status::ok && !outcome.duplicate;
    if (heard_ != nullptr && appended) hear(request, outcome);
    return outcome;
  }
  bus::Page read(const bus::ReadRequest& request, std::vector<PublicationView>& publications,
                 TimePoint now) override {
    reply_ = ask("read", now, [&](auto& args) { add_read(args, request); });
    auto page = page_of(reply_, publications);
    if (!page) {
      ADD_FAILURE() << reply_.text;
      return {};
    }
    page->id = request.id;
    return *page;
  }
  Head head(TimePoint now) override {
    const auto standing = standing_of(ask("head", now));
    if (!standing) {
      ADD_FAILURE() << "no head";
      return {};
    }
    end_byte_ = standing->end_byte;
    return standing->head;
  }
  std::uint64_t end_byte() override { return end_byte_; }

 private:
  /// What was appended is what is told, behind the epoch's beginning where one began.
  void hear(const bus::PublishRequest& request, const bus::Published& outcome) {
    message_ = heard_->hear();
    while (message_.starts_with('b') && message_.find('\n') + 1 == message_.size())
      message_ = heard_->hear();  // the log was made by a call that appended nothing
    std::size_t appended = 0;
    EXPECT_TRUE(each_told(message_, [&](const Told& told) {
      if (told.what == Told::What::begun) {
        EXPECT_EQ(told.head.epoch, outcome.position->epoch);
        at_ = told.head.position();
        return;
      }
      ++appended;
      EXPECT_EQ(told.what, Told::What::appended);
      EXPECT_EQ(told.epoch, outcome.position->epoch);
      EXPECT_EQ(told.publication.offset, outcome.position->offset);
      EXPECT_EQ(told.publication.payload, request.publication.payload);
      EXPECT_EQ(told.publication.key, request.publication.key);
      EXPECT_EQ(told.publication.source, request.publication.source);
      if (at_.offset.value != 0 && at_.epoch == told.epoch) {
        EXPECT_EQ(told.before, at_.offset);
      }
      at_ = {told.epoch, told.publication.offset};
    }));
    EXPECT_EQ(appended, 1U);
  }

  PlainRedis& redis_;
  PlainRedis* const heard_;
  const KeySpace keys_{"peal:", 16};
  const std::string channel_;
  const broker::ChannelOptions& options_;
  const Limits& limits_;
  std::string sha_;
  Reply reply_;
  std::string message_;
  Position at_;
  std::uint64_t end_byte_ = 0;

 public:
  Epoch fresh;
  std::uint64_t config_epoch = 0;
  std::string run_id = "one";
  bool keeps_over_restart = false;
};

TEST(LogLua, AgreesWithTheModelOverRandomHistories) {
  const RedisServer server;
  PlainRedis redis(server), heard(server);
  int channels = 0;
  broker::test::run_log_histories(
      200, [&](const Epoch& epoch, const broker::ChannelOptions& options, const Limits& limits) {
        broker::test::TestedLogs logs;
        logs.push_back(std::make_unique<ScriptedLog>(redis, "c" + std::to_string(++channels), epoch,
                                                     options, limits, &heard));
        return logs;
      });
  EXPECT_EQ(redis.ask({"DBSIZE"}).integer, 0) << "every key is one of those that were named";
}

class LogLuaTest : public testing::Test {
 protected:
  bus::PublishRequest publish(std::string_view payload, std::string_view source = {},
                              Sequence sequence = {}) {
    bus::PublishRequest request;
    request.publication.payload = payload;
    request.publication.source = source;
    request.publication.sequence = sequence;
    return request;
  }

  const RedisServer server;
  PlainRedis redis{server};
  broker::ChannelOptions options{.recoverable = true};
  Limits limits;
  ScriptedLog log{redis, "a", kFirst, options, limits, nullptr};
  const TimePoint now{std::chrono::hours(1)};
};

TEST_F(LogLuaTest, SequencesAreComparedInAllTheir64Bits) {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  EXPECT_FALSE(log.append(publish("x", "s", {kMost, kMost - 1}), now, kSecond).duplicate);
  EXPECT_TRUE(log.append(publish("x", "s", {kMost, kMost - 1}), now, kSecond).duplicate);
  const auto next = log.append(publish("x", "s", {kMost, kMost}), now, kSecond);
  EXPECT_FALSE(next.duplicate);
  EXPECT_EQ(next.position->offset, Offset{2});
  EXPECT_EQ(log.append(publish("x", "s", {9, 10}), now, kSecond).last, (Sequence{kMost, kMost}));
}

TEST_F(LogLuaTest, AHigherMastershipBeginsANewEpochAndALowerOneIsTurnedAway) {
  log.config_epoch = 5;
  EXPECT_EQ(log.append(publish("x"), now, kThird).position, (Position{kFirst, {1}}));
  log.fresh = kSecond;
  log.config_epoch = 10;
  log.run_id = "two";
  EXPECT_EQ(log.head(now), (Head{kSecond, {0}, {0}}));
  log.config_epoch = 9;
  EXPECT_EQ(log.ask("head", now).error_code(), "STALEMASTER");
  EXPECT_EQ(log.ask("read", now).error_code(), "STALEMASTER");
  log.config_epoch = 10;
  EXPECT_EQ(log.append(publish("x"), now, kThird).position, (Position{kSecond, {1}}));
}

TEST_F(LogLuaTest, ARestartOfTheSameMasterBeginsANewEpochUnlessItKeepsAllItSaid) {
  EXPECT_EQ(log.append(publish("x"), now, kThird).position, (Position{kFirst, {1}}));
  log.fresh = kSecond;
  log.run_id = "two";
  log.keeps_over_restart = true;
  EXPECT_EQ(log.head(now), (Head{kFirst, {1}, {0}}));
  log.keeps_over_restart = false;
  EXPECT_EQ(log.head(now), (Head{kFirst, {1}, {0}}));
  log.run_id = "three";
  EXPECT_EQ(log.head(now), (Head{kSecond, {0}, {0}}));
}

TEST_F(LogLuaTest, AnEpochIsEndedOnceByWhoSawThatItCannotBeVouchedFor) {
  log.append(publish("x"), now, kThird);
  log.fresh = kSecond;
  const auto end = [&] { return log.ask("end", now, [](auto& args) { add_end(args, kFirst); }); };
  EXPECT_EQ(standing_of(end())->head, (Head{kSecond, {0}, {0}}));
  log.fresh = kThird;
  EXPECT_EQ(standing_of(end())->head, (Head{kSecond, {0}, {0}}));
}

TEST_F(LogLuaTest, NothingIsKeptForEverThatIsNotToBe) {
  options.history_age_max = std::chrono::seconds(100);
  limits.source_ttl = std::chrono::seconds(200);
  limits.idempotency_ttl = std::chrono::seconds(300);
  limits.position_ttl = std::chrono::seconds(1000);
  bus::PublishRequest request = publish("x", "s", {0, 1});
  request.publication.key = "k";
  request.idempotency_key = "once";
  log.append(request, now, kSecond);
  const std::vector<std::int64_t> most{1160, 160, 160, 260, 260, 360, 360};
  const auto keys = KeySpace("peal:", 16).keys("a");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::int64_t left = redis.ask({"TTL", keys[i]}).integer;
    EXPECT_LE(left, most[i]) << keys[i];
    EXPECT_GT(left, most[i] - 60) << keys[i];
  }
  options.history_age_max = std::chrono::seconds(0);
  log.append(publish("y"), now, kSecond);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(redis.ask({"TTL", keys[i]}).integer, -1) << keys[i];
}

TEST_F(LogLuaTest, RecordsThatRedisForgotAreToldByTheFloor) {
  log.append(publish("x"), now, kSecond);
  (void)redis.ask({"DEL", KeySpace("peal:", 16).keys("a")[1]});
  EXPECT_EQ(log.head(now), (Head{kFirst, {1}, {1}}));
  EXPECT_EQ(log.append(publish("y"), now, kSecond).position, (Position{kFirst, {2}}));
}

TEST_F(LogLuaTest, RedisCanCountTimeItself) {
  const std::vector<std::string> time = [&] {
    std::vector<std::string> texts;
    for (const Reply& element : redis.ask({"TIME"}).elements)
      texts.push_back(element.text);
    return texts;
  }();
  options.history_age_max = std::chrono::seconds(10);
  const TimePoint then{std::chrono::seconds(std::stoll(time[0]) - 9)};
  log.append(publish("x"), then, kSecond);
  const Frame frame{.keys = KeySpace("peal:", 16),
                    .channel = "a",
                    .options = options,
                    .limits = limits,
                    .publish_verb = "",
                    .time = "+1000",
                    .fresh = kSecond};
  auto args = call(frame, "head", "");
  args[kMastershipAt + 1] = "one";
  EXPECT_EQ(standing_of(redis.ask(args))->head, (Head{kFirst, {1}, {1}}));
}

TEST_F(LogLuaTest, AFullRedisRefusesAnAppendAsAWhole) {
  log.append(publish("x"), now, kSecond);
  (void)redis.ask({"CONFIG", "SET", "maxmemory", "1"});
  const Reply refused =
      log.ask("append", now, [&](auto& args) { add_publish(args, publish("y"), kSecond); });
  EXPECT_EQ(refused.error_code(), "OOM");
  (void)redis.ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(log.head(now), (Head{kFirst, {1}, {0}}));
  EXPECT_EQ(log.append(publish("y"), now, kSecond).position, (Position{kFirst, {2}}));
}

TEST(LogScript, MessagesThatCanNotBeReadAreNothing) {
  const Publication whole{.payload = std::string(1000, '\n'), .key = "k k", .type = "text/x"};
  const std::string message = ephemeral_message(view_of(whole));
  std::size_t told = 0;
  const auto tell = [&](const Told& one) {
    ++told;
    EXPECT_EQ(one.publication.payload, whole.payload);
    EXPECT_EQ(one.publication.key, whole.key);
    EXPECT_EQ(one.publication.type, whole.type);
  };
  EXPECT_TRUE(each_told(message + message, tell));
  EXPECT_EQ(told, 2U);
  for (std::size_t size = 1; size < message.size(); ++size)
    EXPECT_FALSE(each_told(std::string_view(message).substr(0, size), tell)) << size;
  EXPECT_FALSE(each_told("zebra", tell));
  EXPECT_FALSE(each_told("b00000001x 1\n", tell));
  EXPECT_EQ(told, 2U);
}

}  // namespace
}  // namespace peal::redis_store
