#include "postgres/source_reader.hpp"

#include <algorithm>

namespace peal::monitor {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kSayEvery{60};
/// How often a standby looks whether it is its turn.
constexpr std::chrono::milliseconds kTryEvery{500};

}  // namespace

Result<Connection> SourceReader::connect(const std::string& dsn) {
  return Connection::open(dsn, config_.process.name, [this](int fd, short events) {
    waiter_.send();
    const auto soon = Clock::now() + seconds(1);
    waiter_.wait(fd, events, std::min(soon, publisher_->next().value_or(soon)));
    return !waiter_.hurried();
  });
}

Error SourceReader::session() {
  auto connection = connect(config_.dsn);
  if (!connection) return connection.error();
  probe_.connected(true);
  if (connection->encoding() == "SQL_ASCII") {
    logger_.warn(
        "the database's encoding is SQL_ASCII: a text that is not UTF-8 can't be read, "
        "nor what comes behind it");
  }
  auto ended = check(*connection);
  if (ended) ended = lock(*connection);
  if (ended) ended = pump(*connection);
  probe_.active(false);
  probe_.connected(false);
  state_ = "connecting";
  return ended ? fail(ErrorCode::draining, "stopping") : ended.error();
}

/// Of all advisory locks in a database those that begin with this number are Peal's. The lock lives
/// as long as the connection: whoever lost it without knowing can still publish what it has, but
/// read no more, and whoever has it now says the same again under the same numbers. A standby asks
/// again and again: a statement that waited for the lock would keep a snapshot meanwhile, behind
/// which nothing could be vacuumed in the whole database.
Result<void> SourceReader::lock(Connection& connection) {
  const std::string sql =
      "select pg_try_advisory_lock(7305508, " + std::to_string(lock_key()) + ")";
  for (bool first = true; !waiter_.stopping(); first = false) {
    auto locked = connection.ask(sql.c_str());
    if (!locked) return locked.error();
    if (locked->is_true(0, 0)) return {};
    if (first) {
      state_ = "standby";
      logger_.info("another monitor reads from this source; standing by");
    }
    const auto until = Clock::now() + kTryEvery;
    while (!waiter_.stopping() && Clock::now() < until)
      waiter_.wait(-1, 0, until);
  }
  return fail(ErrorCode::draining, "stopping");
}

void SourceReader::is_active(const std::string& source) {
  publisher_->rename(source);
  state_ = "active";
  probe_.active(true);
  logger_.info("active", {{"source", source}});
}

void SourceReader::wait_published() {
  while (publisher_->pending() != 0 && wait_for_acknowledged())
    continue;
  apart_.reset();
  apart_at_ = {};
  probe_.published(publisher_->counts());
}

bool SourceReader::wait_for_room() {
  while (publisher_->pending_bytes() >= config_.under_way_bytes_max) {
    if (!wait_for_acknowledged()) return false;
  }
  return true;
}

bool SourceReader::wait_for_acknowledged() {
  waiter_.send();
  if (publisher_->pending() == 0) return true;
  if (waiter_.hurried() || (waiter_.stopping() && !publisher_->linked())) return false;
  const auto now = Clock::now();
  if (apart_at_ == Publisher::Time{}) apart_at_ = now + kMeasureEvery;
  const auto soon = now + seconds(1);
  waiter_.wait(-1, 0, std::min(soon, publisher_->next().value_or(soon)));
  if (Clock::now() >= apart_at_) measure_apart();
  return true;
}

void SourceReader::measure_apart() {
  if (!apart_) {
    if (auto made = connect(config_.dsn)) apart_.emplace(std::move(*made));
  }
  probe_.connected(apart_.has_value());
  const bool measured = apart_ && measure(*apart_);
  probe_.connected(measured);
  if (!measured) apart_.reset();
  apart_at_ = Clock::now() + kMeasureEvery;
}

void SourceReader::told_unmapped(std::size_t rule, const Error& why) {
  probe_.rang_nowhere();
  if (Clock::now() - unmapped_said_ < kSayEvery) return;
  unmapped_said_ = Clock::now();
  logger_.warn("a change has no channel", {{"rule", rule + 1}, {"reason", why.message}});
}

}  // namespace peal::monitor
