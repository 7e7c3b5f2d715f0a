#pragma once
// Random histories of one log, judged step by step by LogModel: appends with every condition,
// retries, trims, ages, compactions, replacements, restorations, reads in every mode, clients that
// come back. Whatever keeps the rules of a log goes through them as a TestedLog.
// PEAL_SEED=n repeats one history, PEAL_HISTORIES=n runs more.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "log_client.hpp"
#include "log_model.hpp"

namespace peal::broker::test {

class TestedLog {
 public:
  virtual ~TestedLog() = default;
  virtual bus::Published append(const bus::PublishRequest& request, TimePoint now,
                                const Epoch& fresh) = 0;
  /// The page shows `publications` until the log is called again.
  virtual bus::Page read(const bus::ReadRequest& request,
                         std::vector<PublicationView>& publications, TimePoint now) = 0;
  virtual Head head(TimePoint now) = 0;
  virtual std::uint64_t end_byte() = 0;  ///< as of the last call
  /// What is not stored is lost.
  virtual void crash() {}
};
using TestedLogs = std::vector<std::unique_ptr<TestedLog>>;
/// Logs that begin with that epoch; what they are given outlives them.
using MakeLogs = std::function<TestedLogs(const Epoch&, const ChannelOptions&, const Limits&)>;

inline std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Tally {
  std::size_t appended = 0, duplicates = 0, lost = 0, pages = 0, bytes_read = 0;
  std::size_t replaced = 0, placed = 0, crashes = 0, recoveries = 0, resets = 0;
  std::map<ErrorCode, std::size_t> refused;
};

class LogHistory {
 public:
  LogHistory(std::uint64_t seed, const MakeLogs& make, Tally& tally)
      : random_(seed),
        tally_(tally),
        limits_(choose_limits()),
        options_(choose_options()),
        logs_(make(epoch(), options_, limits_)),
        model_(epoch(), options_, limits_) {}

  void run() {
    const auto steps = 20 + pick(150);
    for (std::uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      if (pick(4) == 0) now_ += std::chrono::milliseconds(pick(1500));
      if (pick(50) == 0) now_ += std::chrono::milliseconds(pick(40'000));
      step();
      for (const auto& log : logs_) {
        ASSERT_EQ(log->head(now_), model_.head(now_));
        ASSERT_EQ(log->end_byte(), model_.end());
      }
    }
    for (const LogClient& client : clients_) {
      tally_.recoveries += client.recoveries;
      tally_.resets += client.resets;
    }
  }

 private:
  using Mode = bus::ReadRequest::Mode;
  using Status = bus::Published::Status;

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  static Epoch other_epoch() { return *Epoch::parse("OtherOne"); }
  Epoch epoch() const {
    std::string text = std::to_string(10'000'000 + epochs_);
    return *Epoch::parse(text);
  }

  ChannelOptions choose_options() {
    ChannelOptions options;
    options.recoverable = true;
    options.history_length_max = pick(3) == 0 ? 1000 : pick(30);
    options.history_bytes_max = pick(3) == 0 ? 100'000 : 50 + pick(500);
    options.history_age_max = std::chrono::seconds(pick(5) == 0 ? 0 : 1 + pick(30));
    options.compact = pick(3) == 0;
    options.refuse_when_full = pick(6) == 0;
    keys_ = pick(3) == 0 ? 0 : 1 + pick(6);
    return options;
  }
  Limits choose_limits() {
    Limits small;
    small.sources_max = 1 + pick(3);
    small.source_ttl = std::chrono::seconds(1 + pick(40));
    small.idempotency_keys_max = 1 + pick(5);
    small.idempotency_ttl = std::chrono::seconds(1 + pick(20));
    return small;
  }
  std::string some_key() {
    const auto n = pick(keys_ + 1);
    return n == 0 ? "" : "k" + std::to_string(n);
  }
  Offset some_offset() {
    const auto top = model_.head(now_).top.value;
    const auto choice = pick(40);
    if (choice == 0) return {std::uint64_t{1} << 63};
    if (choice == 1) return kOffsetMax;
    return {choice < 10 ? top : pick(top + 3)};
  }

  void step() {
    const auto choice = pick(20);
    if (choice < 11) {
      append();
    } else if (choice < 15) {
      read();
    } else if (choice < 19) {
      follow(clients_[pick(clients_.size())]);
    } else if (pick(3) == 0) {
      for (const auto& log : logs_)
        log->crash();
      ++tally_.crashes;
    }
  }

  bus::PublishRequest some_request() {
    publication_ = {};
    publication_.kind = pick(8) == 0 ? Kind::deletion : Kind::value;
    publication_.key = some_key();
    publication_.payload = std::string(pick(40), static_cast<char>('a' + pick(2)));
    bus::PublishRequest request;
    if (pick(3) == 0) {
      publication_.source = "s" + std::to_string(pick(4));
      publication_.sequence = {pick(3), pick(8)};
      if (pick(3) == 0) request.previous = Sequence{pick(3), pick(8)};
    } else if (pick(60) == 0) {
      request.previous = Sequence{};
    }
    idempotency_key_ = pick(5) == 0 ? "i" + std::to_string(pick(8)) : "";
    request.publication = view_of(publication_);
    request.idempotency_key = idempotency_key_;
    return request;
  }

  void append() {
    bus::PublishRequest request = some_request();
    request.id = 1 + pick(1000);
    if (pick(5) == 0) {
      request.expect = Position{pick(6) == 0 ? other_epoch() : model_.epoch(), some_offset()};
      const auto& key = publication_.key;
      const auto current = key.empty() ? model_.head(now_).top.value : model_.last_of(key);
      if (pick(2) == 0) request.expect->offset = {current};
    }
    if (pick(6) == 0) request.expect_value = static_cast<bus::ExpectValue>(1 + pick(2));
    if (pick(8) == 0) request.expect_end = pick(3) == 0 ? pick(100) : model_.end();
    if (pick(25) == 0) request.replace = true;
    if (pick(25) == 0 || (model_.head(now_).top.value == 0 && pick(3) == 0)) place(request);
    ++epochs_;
    const Epoch fresh = epoch();
    const auto expected = model_.append(request, fresh, now_);
    for (const auto& log : logs_)
      judge(request, expected, log->append(request, now_, fresh));
    count(request, expected);
  }

  /// Turns the request into a restoration, mostly one that can be.
  void place(bus::PublishRequest& request) {
    const Head head = model_.head(now_);
    const bool neat = pick(5) != 0;
    if (neat) {
      bus::PublishRequest plain;
      plain.id = request.id;
      plain.publication = request.publication;
      request = plain;
    }
    const auto offset = neat ? head.top.value + 1 + pick(4) * pick(3) : some_offset().value;
    request.place = Position{pick(8) == 0 ? other_epoch() : model_.epoch(), {offset}};
    if (pick(2) == 0) request.place_floor = Offset{pick(4) == 0 ? offset : pick(offset + 1)};
    if (pick(3) == 0) request.expect_end = model_.end() + pick(20);
    if (pick(3) == 0) request.expect = head.position();
  }

  void judge(const bus::PublishRequest& request, const LogModel::Outcome& expected,
             const bus::Published& outcome) {
    using Kind = LogModel::Outcome::Kind;
    ASSERT_EQ(outcome.id, request.id);
    ASSERT_EQ(outcome.duplicate, expected.kind == Kind::duplicate);
    ASSERT_EQ(outcome.last, expected.remembered);
    if (expected.kind == Kind::refused) {
      ASSERT_EQ(outcome.status, Status::refused);
      ASSERT_EQ(outcome.error->code, expected.code) << outcome.error->message;
      const bool tells = expected.code == ErrorCode::expectation_failed;
      ASSERT_EQ(outcome.position.has_value(), tells);
      if (tells) {
        ASSERT_EQ(*outcome.position, (Position{model_.epoch(), {expected.current}}));
        ASSERT_EQ(outcome.end_byte, model_.end());
      }
      return;
    }
    ASSERT_EQ(outcome.status, Status::ok);
    ASSERT_FALSE(outcome.error);
    ASSERT_EQ(outcome.position ? outcome.position->offset.value : 0, expected.offset);
    if (expected.kind == Kind::duplicate) return;
    ASSERT_EQ(outcome.end_byte, model_.end());
  }

  void count(const bus::PublishRequest& request, const LogModel::Outcome& expected) {
    using Kind = LogModel::Outcome::Kind;
    if (expected.kind == Kind::refused) {
      ++tally_.refused[expected.code];
      return;
    }
    ++(expected.kind == Kind::duplicate ? tally_.duplicates : tally_.appended);
    if (expected.kind == Kind::duplicate) return;
    tally_.replaced += request.replace ? 1 : 0;
    tally_.placed += request.place ? 1 : 0;
  }

  void read() {
    bus::ReadRequest request;
    request.id = 1 + pick(1000);
    request.mode = static_cast<Mode>(pick(4));
    request.after = pick(3) == 0 ? Offset{} : some_offset();
    if (request.mode == Mode::bytes && pick(4) != 0) request.after = {pick(model_.end() + 2)};
    request.limit = pick(4) == 0 ? 1000 : pick(12);
    request.bytes = pick(3) == 0 ? 100'000 : pick(300);
    if (pick(2) == 0) request.epoch = pick(10) == 0 ? other_epoch() : model_.epoch();
    const auto expected = model_.read(request, now_);
    for (const auto& log : logs_)
      judge(request, expected, log->read(request, publications_, now_));
    if (!expected) {
      ++tally_.lost;
    } else {
      ++tally_.pages;
      if (request.mode == Mode::bytes) tally_.bytes_read += expected->pieces.empty() ? 0 : 1;
    }
  }

  void judge(const bus::ReadRequest& request, const std::optional<LogModel::Range>& expected,
             const bus::Page& page) {
    ASSERT_EQ(page.id, request.id);
    ASSERT_EQ(page.head, model_.head(now_));
    ASSERT_EQ(page.end_byte, model_.end());
    ASSERT_EQ(page.error.has_value(), !expected.has_value());
    if (!expected) {
      ASSERT_EQ(page.error->code, ErrorCode::position_lost);
      return;
    }
    ASSERT_EQ(page.after.value, expected->after);
    ASSERT_EQ(page.to.value, expected->to);
    ASSERT_EQ(page.publications.size(), expected->pieces.size());
    if (request.mode == Mode::bytes) {
      ASSERT_EQ(page.first_byte, request.after.value);
    }
    for (std::size_t i = 0; i < expected->pieces.size(); ++i) {
      const PublicationView& found = page.publications[i];
      const auto& wanted = model_.at(expected->pieces[i].offset);
      ASSERT_EQ(found.offset, wanted.publication.offset);
      ASSERT_EQ(found.payload, expected->pieces[i].payload);
      ASSERT_EQ(found.key, wanted.publication.key);
      ASSERT_EQ(found.kind, wanted.publication.kind);
      ASSERT_EQ(found.source, wanted.publication.source);
      ASSERT_EQ(found.sequence, wanted.publication.sequence);
      if (i == 0 && request.mode == Mode::forward) {
        ASSERT_EQ(page.first_byte, wanted.begin);
      }
    }
  }

  /// A client comes back: it reads page by page, while others may go on appending.
  void follow(LogClient& client) {
    const std::size_t limit = 1 + pick(20);
    for (int pages = 0; pages < 40; ++pages) {
      const bus::ReadRequest request = client.next(limit);
      const bus::Page page = logs_[pick(logs_.size())]->read(request, publications_, now_);
      ASSERT_EQ(client.take(page), "");
      if (!page.error && client.caught_up()) {
        ASSERT_EQ(client.judge(model_), "");
        return;
      }
      if (pick(6) == 0) append();
      if (testing::Test::HasFailure()) return;
    }
  }

  std::mt19937_64 random_;
  Tally& tally_;
  const Limits limits_;
  std::uint64_t keys_ = 0;
  const ChannelOptions options_;
  std::uint64_t epochs_ = 0;
  const TestedLogs logs_;
  LogModel model_;
  std::vector<LogClient> clients_{4};
  Publication publication_;
  std::string idempotency_key_;
  std::vector<PublicationView> publications_;
  TimePoint now_{std::chrono::hours(1)};
};

/// So many histories, or as the environment says; fails when they didn't reach every rule.
inline void run_log_histories(std::uint64_t usually, const MakeLogs& make) {
  const auto seed = from_environment("PEAL_SEED", std::random_device{}());
  const auto histories = from_environment("PEAL_HISTORIES", usually);
  std::printf("seed %llu, %llu histories\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(histories));
  Tally tally;
  for (std::uint64_t i = 0; i < histories; ++i) {
    SCOPED_TRACE("repeat with PEAL_HISTORIES=1 PEAL_SEED=" + std::to_string(seed + i));
    LogHistory history(seed + i, make, tally);
    history.run();
    if (testing::Test::HasFailure()) return;
  }
  std::printf(
      "%zu appended, %zu duplicates, %zu replaced, %zu placed, %zu crashes; %zu pages, "
      "%zu of bytes, %zu lost; %zu recoveries, %zu told to begin anew\n",
      tally.appended, tally.duplicates, tally.replaced, tally.placed, tally.crashes, tally.pages,
      tally.bytes_read, tally.lost, tally.recoveries, tally.resets);
  if (histories < 100) return;
  // The histories are worth nothing when they don't reach every rule.
  EXPECT_GT(tally.appended, histories * 10);
  EXPECT_GT(tally.duplicates, histories);
  EXPECT_GT(tally.replaced, histories / 10);
  EXPECT_GT(tally.placed, histories / 2);
  EXPECT_GT(tally.crashes, histories / 2);
  EXPECT_GT(tally.pages, histories * 3);
  EXPECT_GT(tally.bytes_read, histories / 2);
  EXPECT_GT(tally.lost, histories / 4);
  EXPECT_GT(tally.recoveries, histories * 5);
  EXPECT_GT(tally.resets, histories / 2);
  for (const ErrorCode code :
       {ErrorCode::expectation_failed, ErrorCode::sequence_gap, ErrorCode::idempotency_conflict,
        ErrorCode::command_invalid, ErrorCode::log_full}) {
    EXPECT_GT(tally.refused[code], histories / 20) << info(code).name;
  }
}

}  // namespace peal::broker::test
