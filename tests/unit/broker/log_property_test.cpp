// Log against LogModel, over random histories. PEAL_SEED=n repeats one, PEAL_HISTORIES=n runs more.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "core/log.hpp"
#include "log_model.hpp"

namespace peal::broker {
namespace {

using std::chrono::milliseconds;
using Status = bus::Published::Status;

const Epoch kEpoch = *Epoch::parse("Epoch001");
const Epoch kOther = *Epoch::parse("Epoch002");

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed),
        limits_(limits()),
        log_(kEpoch, choose_options(), limits_),
        model_(kEpoch, options_, limits_) {}

  void run() {
    const auto steps = 20 + pick(150);
    for (std::uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      if (pick(4) == 0) now_ += milliseconds(pick(1500));
      if (pick(50) == 0) now_ += milliseconds(pick(40'000));
      if (pick(3) != 0) {
        append();
      } else {
        read();
      }
      ASSERT_EQ(log_.head(now_), model_.head(now_));
    }
  }

  std::size_t appended = 0, duplicates = 0, lost = 0, pages = 0;
  std::map<ErrorCode, std::size_t> refused;

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  const ChannelOptions& choose_options() {
    options_.recoverable = true;
    options_.history_length_max = pick(3) == 0 ? 1000 : pick(30);
    options_.history_bytes_max = pick(3) == 0 ? 100'000 : 50 + pick(500);
    options_.history_age_max = std::chrono::seconds(1 + pick(30));
    keys_ = pick(3) == 0 ? 0 : 1 + pick(6);
    return options_;
  }
  Limits limits() {
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
    return {pick(4) == 0 ? top : pick(top + 3)};
  }

  void append() {
    Publication publication;
    publication.kind = pick(8) == 0 ? Kind::deletion : Kind::value;
    publication.key = some_key();
    publication.payload = std::string(pick(40), static_cast<char>('a' + pick(2)));
    std::optional<Sequence> previous;
    if (pick(3) == 0) {
      publication.source = "s" + std::to_string(pick(4));
      publication.sequence = {pick(3), pick(8)};
      if (pick(3) == 0) previous = Sequence{pick(3), pick(8)};
    } else if (pick(60) == 0) {
      previous = Sequence{};
    }
    std::optional<Position> expect;
    if (pick(5) == 0) {
      expect = Position{pick(6) == 0 ? kOther : kEpoch, some_offset()};
      // Often right: what the model would refuse with.
      if (pick(2) == 0) {
        bus::ReadRequest last;
        last.mode = publication.key.empty() ? bus::ReadRequest::Mode::reverse
                                            : bus::ReadRequest::Mode::state;
        const auto range = model_.read(last, now_);
        for (const auto offset : range->offsets) {
          if (model_.at(offset).key == publication.key) expect->offset = {offset};
        }
        if (publication.key.empty()) expect->offset = model_.head(now_).top;
      }
    }
    const std::string idempotency_key = pick(5) == 0 ? "i" + std::to_string(pick(8)) : "";

    bus::PublishRequest request;
    request.id = 1 + pick(1000);
    request.publication = view_of(publication);
    request.expect = expect;
    request.previous = previous;
    request.idempotency_key = idempotency_key;
    const auto expected = model_.append(publication, expect, previous, idempotency_key, now_);
    judge(request.id, expected, log_.append(request, now_));
  }

  void judge(bus::RequestId id, const test::LogModel::Outcome& expected,
             const bus::Published& outcome) {
    using Kind = test::LogModel::Outcome::Kind;
    ASSERT_EQ(outcome.id, id);
    ASSERT_EQ(outcome.duplicate, expected.kind == Kind::duplicate);
    ASSERT_EQ(outcome.last, expected.remembered);
    if (expected.kind == Kind::refused) {
      ASSERT_EQ(outcome.status, Status::refused);
      ASSERT_EQ(outcome.error->code, expected.code) << outcome.error->message;
      const bool tells = expected.code == ErrorCode::expectation_failed;
      ASSERT_EQ(outcome.position.has_value(), tells);
      if (tells) {
        ASSERT_EQ(*outcome.position, (Position{kEpoch, {expected.current}}));
      }
      ++refused[expected.code];
      return;
    }
    ASSERT_EQ(outcome.status, Status::ok);
    ASSERT_FALSE(outcome.error);
    ASSERT_EQ(outcome.position ? outcome.position->offset.value : 0, expected.offset);
    ++(expected.kind == Kind::duplicate ? duplicates : appended);
  }

  void read() {
    bus::ReadRequest request;
    request.id = 1 + pick(1000);
    request.mode = static_cast<bus::ReadRequest::Mode>(pick(3));
    request.after = pick(3) == 0 ? Offset{} : some_offset();
    request.limit = pick(4) == 0 ? 1000 : pick(12);
    request.bytes = pick(3) == 0 ? 100'000 : pick(300);
    if (pick(2) == 0) request.epoch = pick(10) == 0 ? kOther : kEpoch;
    const auto expected = model_.read(request, now_);
    const bus::Page page = log_.read(request, publications_, now_);
    ASSERT_EQ(page.id, request.id);
    ASSERT_EQ(page.head, model_.head(now_));
    ASSERT_EQ(page.error.has_value(), !expected.has_value());
    if (!expected) {
      ASSERT_EQ(page.error->code, ErrorCode::position_lost);
      ++lost;
      return;
    }
    ++pages;
    ASSERT_EQ(page.after.value, expected->after);
    ASSERT_EQ(page.to.value, expected->to);
    ASSERT_EQ(page.publications.size(), expected->offsets.size());
    for (std::size_t i = 0; i < expected->offsets.size(); ++i) {
      const PublicationView& found = page.publications[i];
      const Publication& wanted = model_.at(expected->offsets[i]);
      ASSERT_EQ(found.offset, wanted.offset);
      ASSERT_EQ(found.payload, wanted.payload);
      ASSERT_EQ(found.key, wanted.key);
      ASSERT_EQ(found.kind, wanted.kind);
      ASSERT_EQ(found.source, wanted.source);
      ASSERT_EQ(found.sequence, wanted.sequence);
    }
  }

  std::mt19937_64 random_;
  ChannelOptions options_;
  std::uint64_t keys_ = 0;
  Limits limits_;
  Log log_;
  test::LogModel model_;
  std::vector<PublicationView> publications_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST(LogProperty, AgreesWithTheModelOverRandomHistories) {
  const auto seed = from_environment("PEAL_SEED", std::random_device{}());
  const auto histories = from_environment("PEAL_HISTORIES", 2000);
  std::printf("seed %llu, %llu histories\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(histories));
  std::size_t appended = 0, duplicates = 0, lost = 0, pages = 0;
  std::map<ErrorCode, std::size_t> refused;
  for (std::uint64_t i = 0; i < histories; ++i) {
    SCOPED_TRACE("repeat with PEAL_HISTORIES=1 PEAL_SEED=" + std::to_string(seed + i));
    History history(seed + i);
    history.run();
    if (HasFailure()) return;
    appended += history.appended;
    duplicates += history.duplicates;
    lost += history.lost;
    pages += history.pages;
    for (const auto& [code, count] : history.refused)
      refused[code] += count;
  }
  if (histories < 1000) return;
  // The histories are worth nothing when they don't reach every rule.
  EXPECT_GT(appended, histories * 10);
  EXPECT_GT(duplicates, histories);
  EXPECT_GT(lost, histories / 4);
  EXPECT_GT(pages, histories * 5);
  for (const ErrorCode code : {ErrorCode::expectation_failed, ErrorCode::sequence_gap,
                               ErrorCode::idempotency_conflict, ErrorCode::command_invalid}) {
    EXPECT_GT(refused[code], histories / 20) << info(code).name;
  }
}

}  // namespace
}  // namespace peal::broker
