#include "postgres/logical_reader.hpp"

#include <poll.h>

#include <algorithm>

#include "mapping/payload.hpp"
#include "peal/proto/channel_name.hpp"
#include "postgres/catalog.hpp"
#include "postgres/published_tables.hpp"
#include "postgres/table_name.hpp"

namespace peal::monitor {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

/// The server ends a connection that is silent for wal_sender_timeout (60 s).
constexpr seconds kTellEvery{1};
constexpr seconds kSayEvery{60};

std::vector<std::string> names_of(const std::map<std::string, std::vector<std::string>>& tables) {
  std::vector<std::string> names;
  for (const auto& [name, columns] : tables)
    names.push_back(name);
  return names;
}

}  // namespace

LogicalReader::LogicalReader(const MonitorConfig& config, Rules rules, Waiter& waiter,
                             const runtime::Logger& logger, MonitorProbe& probe)
    : SourceReader(config, waiter, logger.with("logical"), probe),
      rules_(std::move(rules)),
      tables_(names_of(rules_.tables())),
      changes_(
          [this](std::vector<std::uint32_t> types) { return ask_types(*connection_, types); }) {}

Result<void> LogicalReader::check(Connection& connection) {
  if (auto set = connection.use_own_settings(); !set) return set;
  if (auto good = check_logical(connection); !good) return good;
  if (auto good = check_tables(connection, rules_.tables()); !good) return good;
  return check_published(connection, config_.slot, rules_.tables());
}

/// Monitors with the same slot are one source.
int LogicalReader::lock_key() const {
  return static_cast<int>(stable_hash("slot " + config_.slot) & 0x7fffffff);
}

Result<Replication> LogicalReader::open_replication() {
  return Replication::open(config_.dsn, config_.process.name, [this](int fd, short events) {
    waiter_.wait(fd, events, Clock::now() + seconds(1));
    return !waiter_.hurried();
  });
}

Result<void> LogicalReader::pump(Connection& connection) {
  connection_ = &connection;
  const auto statements = wanting_full_identity(connection, rules_.old_columns());
  if (!statements) return statements.error();
  for (const std::string& statement : *statements) {
    logger_.warn("without all of the old row some rows leave that were never there",
                 {{"do", statement}});
  }
  const auto wanting = wanting_publication(connection, config_.slot, tables_);
  if (!wanting) return wanting.error();
  const bool changed = !wanting->empty();
  auto slot = find_slot(connection, config_.slot);
  if (!slot) return slot.error();
  if (*slot && ((*slot)->lost || changed || gone_back_)) {
    logger_.warn(changed      ? "other tables than before: reading begins anew"
                 : gone_back_ ? "the database has gone back: reading begins anew"
                              : "the slot was lost: reading begins anew",
                 {{"slot", (*slot)->name}});
    if (auto dropped = drop_slot(connection, (*slot)->name); !dropped) return dropped;
    slot->reset();
  }
  // Only now: a slot that is there has a publication that is as it was all the time.
  if (changed) {
    if (auto made = make_publication(connection, *wanting); !made) return made;
  }
  auto replication = open_replication();
  if (!replication) return replication.error();
  const auto server = replication->identify();
  if (!server) return server.error();
  if (!*slot) {
    if (auto may = check_may_read(connection, tables_); !may) return may;
    if (auto done = snapshot(connection, *server); !done || waiter_.stopping()) return done;
  }
  const std::string name = *slot ? (*slot)->name : slot_;
  if (auto started = replication->start(name, config_.slot); !started) return started;
  // Not before: while another has the slot this one is not active, and asks less and less often.
  if (*slot) active_as(*server, name);
  // Whoever had the slot before has read nothing that comes after this.
  const auto reached = connection.ask("select pg_current_wal_flush_lsn()");
  if (!reached) return reached.error();
  began_lsn_ = parse_lsn(reached->text(0, 0));
  auto ended = stream(connection, *replication);
  // Whatever ended it: nothing may be pending when the next session begins.
  wait_published();
  if (ended) ended = tell(*replication, true);
  return ended;
}

void LogicalReader::active_as(const ServerIdentity& server, const std::string& slot) {
  slot_ = slot;
  transactions_.clear();
  first_ticket_ = 0;
  heard_lsn_ = confirmed_lsn_ = began_lsn_ = 0;
  gone_back_ = false;
  is_active("postgres-logical:" + server.system + ":" + std::to_string(server.timeline) + ":" +
            slot);
}

/// A temporary slot shows what was there before it; once all of that is acknowledged, a lasting one
/// begins at the same place. A crash before leaves nothing: it begins anew, under another name.
Result<void> LogicalReader::snapshot(Connection& connection, const ServerIdentity& server) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name = config_.slot + "_";
  for (int i = 0; i < 8; ++i)
    name += kHex[random_() % 16];
  active_as(server, name);
  auto holder = open_replication();
  if (!holder) return holder.error();
  const std::string temporary = name + "_snapshot";
  const auto fresh = holder->make_temporary_slot(temporary);
  if (!fresh) return fresh.error();
  auto done = snapshot_tables(*fresh);
  wait_published();
  if (!done) return done;
  if (publisher_->pending() != 0 || waiter_.stopping()) return {};  // the end came first
  transactions_.clear();
  ++first_ticket_;
  logger_.info("the snapshot is published", {{"publications", sequence_.minor}});
  return keep_slot(connection, temporary, name);
}

Result<void> LogicalReader::snapshot_tables(const FreshSlot& fresh) {
  auto reader = connect(config_.dsn);
  if (!reader) return reader.error();
  if (auto set = reader->use_own_settings(); !set) return set;
  auto begun = reader->run(
      "begin isolation level repeatable read read only; set transaction "
      "snapshot '" +
      fresh.snapshot + "'");
  if (!begun) return begun;
  const auto now = reader->ask("select (extract(epoch from now()) * 1000)::bigint");
  if (!now) return now.error();
  sequence_ = {fresh.consistent_lsn, 0};
  transactions_.push_back({0, 0, static_cast<std::int64_t>(now->number(0, 0))});
  for (const std::string& table : tables_) {
    if (auto done = snapshot_table(*reader, table); !done || waiter_.stopping()) return done;
  }
  return {};
}

Result<void> LogicalReader::snapshot_table(Connection& reader, const std::string& table) {
  const TableName name = table_name(table);
  Change change;
  change.what = Change::What::snapshot;
  change.schema = name.schema;
  change.table = name.table;
  publish(change);
  const auto columns = told_columns(reader, table);
  if (!columns) return columns.error();
  auto declared = reader.run(
      "declare peal_rows no scroll cursor for select row_to_json(t) from (select " + *columns +
      " from " + reader.quoted(name.schema) + '.' + reader.quoted(name.table) + ") t");
  if (!declared) return declared;
  const std::string fetch =
      "fetch " + std::to_string(config_.batch_changes_max) + " from peal_rows";
  JsonReader json;
  while (!waiter_.stopping()) {
    auto rows = reader.ask(fetch.c_str());
    if (!rows) return rows.error();
    if (rows->rows() == 0) break;
    for (std::size_t i = 0; i < rows->rows(); ++i) {
      auto row = Row::parse(rows->text(i, 0), json);
      if (!row) return row.error();
      change.new_row = std::move(*row);
      publish(change);
    }
    probe_.took(rows->rows());
    wait_published();
  }
  return reader.run("close peal_rows");
}

Result<void> LogicalReader::stream(Connection& connection, Replication& replication) {
  while (!waiter_.stopping()) {
    if (gone_back_) {
      probe_.met_used_numbers();
      return fail(ErrorCode::storage_unavailable,
                  "the database has gone back behind what was published of it");
    }
    if (auto told = tell(replication, false); !told) return told;
    if (auto measured = measure(connection); !measured) return measured;
    if (publisher_->pending_bytes() >= config_.under_way_bytes_max) {
      waiter_.send();
      if (publisher_->pending_bytes() < config_.under_way_bytes_max) continue;
      const auto soon = Clock::now() + kTellEvery;
      waiter_.wait(-1, 0, std::min(soon, publisher_->next().value_or(soon)));
      continue;
    }
    auto came = replication.next();
    if (!came) return came.error();
    if (!*came) {
      if (auto waited = wait_for_more(replication); !waited) return waited;
      continue;
    }
    if (!(*came)->bytes.empty()) {
      if (auto taken = changes_.take((*came)->bytes, *this); !taken) return taken;
    }
    heard_lsn_ = std::max(heard_lsn_, (*came)->end_lsn);
    if ((*came)->reply_wanted) {
      if (auto told = tell(replication, true); !told) return told;
    }
  }
  return {};
}

Result<void> LogicalReader::wait_for_more(Replication& replication) {
  waiter_.send();
  const auto soon = Clock::now() + kTellEvery;
  waiter_.wait(replication.fd(), POLLIN, std::min(soon, publisher_->next().value_or(soon)));
  probe_.published(publisher_->counts());
  return {};
}

void LogicalReader::on_begin(const pgoutput::Begin& begin) {
  sequence_ = {begin.commit_lsn, 0};
  transactions_.push_back({0, 0, begin.time_ms()});
}

void LogicalReader::on_commit(const pgoutput::Commit& commit) {
  transactions_.back().end_lsn = commit.end_lsn;
}

void LogicalReader::on_relation(const pgoutput::Relation& relation) {
  const std::string name = relation.schema + "." + relation.name;
  if (std::ranges::find(tables_, name) == tables_.end())
    logger_.warn("a table has another name now, which no rule has", {{"table", name}});
}

void LogicalReader::on_change(const Change& change) {
  probe_.took(1);
  publish(change);
}

/// The ticket is the transaction's: how many came before it in this session.
void LogicalReader::publish(const Change& change) {
  std::vector<Ring> rings;
  rules_.map(change, rings,
             [this](std::size_t rule, const Error& why) { told_unmapped(rule, why); });
  for (Ring& ring : rings) {
    ++sequence_.minor;
    if (cut_to_size(ring, change, config_.limits.message_bytes_max)) {
      probe_.rejected();
      logger_.warn("a change is larger than limits.message_bytes_max: it rings without its rows",
                   {{"table", change.schema + "." + change.table}, {"key", ring.key}});
    }
    ++transactions_.back().left;
    publisher_->publish({std::move(ring), first_ticket_ + transactions_.size() - 1, sequence_});
  }
}

/// What is read again after a crash is known to the log; what nobody can have read yet is not,
/// unless somebody read it from a database that went further than this one has.
void LogicalReader::on_done(const Done& done) {
  --transactions_[done.ticket - first_ticket_].left;
  if (done.met && done.met->major > began_lsn_ && began_lsn_ != 0) gone_back_ = true;
  if (!done.error) return;
  probe_.rejected();
  logger_.error("a change can't be published and is left out", {{"reason", done.error->message}});
}

/// Tells the database what it may forget: all before the first transaction that is not done.
Result<void> LogicalReader::tell(Replication& replication, bool now) {
  while (!transactions_.empty() && transactions_.front().end_lsn != 0 &&
         transactions_.front().left == 0) {
    confirmed_lsn_ = std::max(confirmed_lsn_, transactions_.front().end_lsn);
    transactions_.pop_front();
    ++first_ticket_;
  }
  // With nothing open, what the server has told of itself needs no keeping either.
  if (transactions_.empty()) confirmed_lsn_ = std::max(confirmed_lsn_, heard_lsn_);
  if (!now && Clock::now() - told_ < kTellEvery) return {};
  told_ = Clock::now();
  return replication.confirm(confirmed_lsn_);
}

Result<void> LogicalReader::measure(Connection& connection) {
  const auto now = Clock::now();
  if (now - measured_ < kMeasureEvery) return {};
  measured_ = now;
  // The lock is this connection's: its end is noticed here too.
  const auto lag = lag_of(connection, slot_);
  if (!lag) return lag.error();
  const auto oldest = transactions_.empty() ? 0 : lag->now_ms - transactions_.front().at_ms;
  probe_.lag_measured(publisher_->pending(), lag->bytes,
                      static_cast<std::uint64_t>(std::max<std::int64_t>(oldest, 0)), 0);
  probe_.wal_left(lag->wal_left);
  if (lag->wal_left && *lag->wal_left < lag->wal_max / 2 && now - warned_ >= kSayEvery) {
    warned_ = now;
    logger_.warn("the slot will be lost when it is not read: max_slot_wal_keep_size is near",
                 {{"slot", slot_}, {"bytes_left", *lag->wal_left}});
  }
  return look_for_tables(connection);
}

/// The publication has tables, not names: one that was made anew is not in it.
Result<void> LogicalReader::look_for_tables(Connection& connection) {
  const auto missing = missing_tables(connection, config_.slot, tables_);
  if (!missing) return missing.error();
  for (const auto& [table, is_there] : *missing) {
    if (is_there) {
      return fail(ErrorCode::storage_unavailable,
                  "the table " + table + " was made anew, or taken out of the publication");
    }
  }
  if (missing->empty() || Clock::now() - missed_ < kSayEvery) return {};
  missed_ = Clock::now();
  for (const auto& [table, is_there] : *missing)
    logger_.warn("a table of the rules is not there any more", {{"table", table}});
  return {};
}

}  // namespace peal::monitor
