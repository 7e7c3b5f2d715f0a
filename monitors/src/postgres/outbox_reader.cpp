#include "postgres/outbox_reader.hpp"

#include <poll.h>

#include <algorithm>

#include "mapping/payload.hpp"
#include "mapping/ring_line.hpp"
#include "postgres/catalog.hpp"

namespace peal::monitor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

/// NOTIFY wakes it; this is for one that got lost with a connection of somebody else's.
constexpr seconds kSleepMax{10};
/// How soon it looks for what those did who wrote without waking it; twice as late each time.
constexpr milliseconds kLookMin{1};
constexpr milliseconds kLookMax{250};
constexpr seconds kSayEvery{60};
constexpr std::size_t kLagCountMax = 1'000'000;
/// Publications of one change and channel: more than two for each rule there can't be.
constexpr std::uint64_t kRingsBits = 12;
static_assert(2 * kRulesMax < (1U << kRingsBits));

/// What is published of a row, in the same order each time.
std::vector<Ring> rings_of(const OutboxRow& row, Rules& rules, const Rules::OnUnmapped& unmapped) {
  std::vector<Ring> rings;
  if (!row.unreadable.empty()) return rings;
  if (row.change) {
    rules.map(*row.change, rings, unmapped);
  } else {
    rings.push_back({row.channel, row.key, row.payload, row.deletion, false});
  }
  return rings;
}

}  // namespace

OutboxReader::OutboxReader(const MonitorConfig& config, Rules rules, Waiter& waiter,
                           const runtime::Logger& logger, MonitorProbe& probe)
    : SourceReader(config, waiter, logger.with("outbox"), probe), rules_(std::move(rules)) {}

Result<void> OutboxReader::check(Connection& connection) {
  if (auto set = connection.use_own_settings(); !set) return set;
  return Outbox::check(connection, rules_.tables());
}

Result<void> OutboxReader::pump(Connection& connection) {
  Outbox outbox(connection);
  const auto claim = outbox.claim();
  if (!claim) return claim.error();
  claim_ = *claim;
  is_active(claim_.source);
  if (auto listening = connection.run("listen peal_outbox"); !listening) return listening;
  return pump(connection, outbox);
}

Result<void> OutboxReader::pump(Connection& connection, Outbox& outbox) {
  std::optional<std::uint64_t> done;
  wakeable_ = alone_ = false;
  while (!waiter_.stopping()) {
    auto batch = outbox.take(done, refused_, config_.batch_changes_max, config_.batch_bytes_max);
    if (!batch) return batch.error();
    refused_.clear();
    const bool busy = done && !batch->rows.empty();
    done.reset();
    if (auto measured = measure(connection); !measured) return measured;
    if (batch->rows.empty()) {
      if (auto rested = rest(connection, outbox); !rested) return rested;
      continue;
    }
    if (busy && wakeable_) {
      if (auto awake = outbox.stay_awake(); !awake) return awake;
      wakeable_ = alone_ = false;
    }
    look_again_ = milliseconds(0);
    probe_.took(batch->rows.size());
    if (auto delivered = deliver(outbox, *batch); !delivered) return delivered;
    if (publisher_->pending() != 0) return {};  // the end came first; the batch is taken again
    done = batch->rows.front().number;
  }
  if (!done) return {};
  auto last = outbox.take(done, refused_, 0, 0);
  return last ? Result<void>() : Result<void>(last.error());
}

Result<void> OutboxReader::deliver(Outbox& outbox, OutboxBatch& batch) {
  met_.reset();
  publish(batch);
  wait_published();
  while (met_ && batch.fresh && publisher_->pending() == 0) {
    // Nobody can have used these numbers, and somebody has: the database has gone back.
    probe_.met_used_numbers();
    logger_.warn("the database has gone back behind numbers it had given out: a new generation",
                 {{"generation", claim_.generation}, {"met", *met_}});
    const auto claim = outbox.claim(met_);
    if (!claim) return claim.error();
    claim_ = *claim;
    met_.reset();
    publish(batch);
    wait_published();
  }
  return {};
}

void OutboxReader::publish(const OutboxBatch& batch) {
  ids_.clear();
  const auto unmapped = [this](std::size_t rule, const Error& why) { told_unmapped(rule, why); };
  for (const OutboxRow& row : batch.rows) {
    if (!wait_for_room()) return;
    ids_.push_back(row.id);
    if (!row.unreadable.empty()) refuse(row.id, "its rows can't be read: " + row.unreadable);
    std::uint64_t count = 0;
    for (Ring& ring : rings_of(row, rules_, unmapped)) {
      if (row.change && cut_to_size(ring, *row.change, config_.limits.message_bytes_max))
        refuse(row.id, "message_too_large: it rings without its rows");
      const Sequence sequence{claim_.generation, row.number << kRingsBits | count++};
      publisher_->publish({std::move(ring), ids_.size() - 1, sequence});
    }
  }
}

void OutboxReader::on_done(const Done& done) {
  if (done.met && (!met_ || done.met->major > *met_)) met_ = done.met->major;
  if (!done.error) return;
  refuse(ids_[done.ticket], std::string(info(done.error->code).name) + ": " + done.error->message);
}

void OutboxReader::refuse(const std::string& id, const std::string& reason) {
  probe_.rejected();
  refused_[id] = reason;
  logger_.error("a change can't be published; it is in peal.rejected now",
                {{"id", id}, {"reason", reason}});
}

/// Nothing waits: until there may be something. It is slept for long only after a take that began
/// when all who write said so, which is why nothing that is committed meanwhile is slept over.
Result<void> OutboxReader::rest(Connection& connection, Outbox& outbox) {
  if (alone_) return sleep(connection, Clock::now() + kSleepMax);
  if (!wakeable_) {
    const auto asked = outbox.ask_to_be_woken();
    if (!asked) return asked.error();
    wakeable_ = *asked;
  } else {
    look_again_ = std::clamp(look_again_ * 2, kLookMin, kLookMax);
    if (auto slept = sleep(connection, Clock::now() + look_again_); !slept) return slept;
  }
  if (!wakeable_) return sleep(connection, Clock::now() + kLookMin);
  const auto alone = outbox.others_have_ended();
  if (!alone) return alone.error();
  alone_ = *alone;
  return {};
}

Result<void> OutboxReader::sleep(Connection& connection, Publisher::Time until) {
  while (!waiter_.stopping() && Clock::now() < until) {
    const auto came = connection.notified();
    if (!came) return came.error();
    if (!came->empty()) return {};
    waiter_.wait(connection.fd(), POLLIN, until);
  }
  return {};
}

Result<void> OutboxReader::measure(Connection& connection) {
  const auto now = Clock::now();
  if (now - measured_ < kMeasureEvery) return {};
  measured_ = now;
  const auto lag = Outbox(connection).lag(kLagCountMax);
  if (!lag) return lag.error();
  probe_.lag_measured(lag->changes, lag->bytes, lag->oldest_ms, lag->rejected);
  if (lag->changes > config_.waiting_warn && now - warned_ >= kSayEvery) {
    warned_ = now;
    logger_.warn("many changes wait in the database",
                 {{"changes", lag->changes}, {"bytes", lag->bytes}, {"oldest_ms", lag->oldest_ms}});
  }
  return look_for_triggers(connection);
}

/// A table that is dropped takes its trigger with it, and one that is made anew has none.
Result<void> OutboxReader::look_for_triggers(Connection& connection) {
  std::vector<std::string> tables;
  for (const auto& [table, columns] : rules_.tables())
    tables.push_back(table);
  const auto unwatched = unwatched_tables(connection, tables);
  if (!unwatched) return unwatched.error();
  if (unwatched->empty() || Clock::now() - missed_ < kSayEvery) return {};
  missed_ = Clock::now();
  for (const std::string& table : *unwatched) {
    logger_.warn("nothing watches a table of the rules any more",
                 {{"table", table}, {"do", "peal monitor postgres install --table " + table}});
  }
  return {};
}

Result<std::string> dry_run(const MonitorConfig& config) {
  auto rules = Rules::compile(config.rule_list());
  if (!rules) return rules.error();
  auto connection = Connection::open(config.dsn, config.process.name);
  if (!connection) return connection.error();
  if (auto good = Outbox::check(*connection, rules->tables()); !good) return good.error();
  Outbox outbox(*connection);
  const auto batch = outbox.peek(config.batch_changes_max);
  if (!batch) return batch.error();
  std::string lines;
  for (const OutboxRow& row : batch->rows) {
    const auto unmapped = [&](std::size_t rule, const Error& why) {
      lines += "{\"rule\":" + std::to_string(rule + 1) + ",\"error\":";
      append_json_text(lines, why.message);
      lines += "}\n";
    };
    for (const Ring& ring : rings_of(row, *rules, unmapped))
      lines += ring_line(ring);
  }
  return lines;
}

}  // namespace peal::monitor
