#include "postgres/source_reader.hpp"

#include <algorithm>

namespace peal::monitor {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr seconds kSayEvery{60};

}  // namespace

Result<Connection> SourceReader::connect(const std::string& dsn) {
  return Connection::open(dsn, config_.process.name, [this](int fd, short events) {
    waiter_.wait(fd, events, Clock::now() + seconds(1));
    return !waiter_.hurried();
  });
}

Error SourceReader::session() {
  auto connection = connect(config_.dsn);
  if (!connection) return connection.error();
  probe_.connected(true);
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
/// read no more, and whoever has it now says the same again under the same numbers.
Result<void> SourceReader::lock(Connection& connection) {
  const std::string numbers = "(7305508, " + std::to_string(lock_key()) + ")";
  auto locked = connection.ask(("select pg_try_advisory_lock" + numbers).c_str());
  if (!locked) return locked.error();
  if (locked->is_true(0, 0)) return {};
  state_ = "standby";
  logger_.info("another monitor reads from this source; standing by");
  auto waited = connection.ask(("select pg_advisory_lock" + numbers).c_str());
  return waited ? Result<void>() : Result<void>(waited.error());
}

void SourceReader::is_active(const std::string& source) {
  publisher_->rename(source);
  state_ = "active";
  probe_.active(true);
  logger_.info("active", {{"source", source}});
}

void SourceReader::wait_published(const std::function<void()>& meanwhile) {
  while (publisher_->pending() != 0) {
    waiter_.send();
    if (publisher_->pending() == 0) break;
    if (waiter_.hurried() || (waiter_.stopping() && !publisher_->linked())) return;
    const auto soon = Clock::now() + seconds(1);
    waiter_.wait(-1, 0, std::min(soon, publisher_->next().value_or(soon)));
    if (meanwhile) meanwhile();
  }
  probe_.published(publisher_->counts());
}

void SourceReader::told_unmapped(std::size_t rule, const Error& why) {
  probe_.rang_nowhere();
  if (Clock::now() - unmapped_said_ < kSayEvery) return;
  unmapped_said_ = Clock::now();
  logger_.warn("a change has no channel", {{"rule", rule + 1}, {"reason", why.message}});
}

}  // namespace peal::monitor
