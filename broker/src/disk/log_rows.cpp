#include "disk/log_rows.hpp"

#include <algorithm>
#include <list>
#include <vector>

namespace peal::disk {
namespace {

/// Rows that are written together, roughly.
constexpr std::size_t kBatchBytes = 4 * 1024 * 1024;

Error damaged(std::string_view channel, std::string_view what) {
  return fail(ErrorCode::storage_unavailable, "the " + std::string(what) + " of channel " +
                                                  std::string(channel) + " cannot be read");
}

Result<void> load_records(const Database& database, std::string_view channel, const Meta& meta,
                          const StoreClock& clock, broker::Log& log) {
  bool good = true;
  std::uint64_t count = 0;
  auto scanned = database.scan(all_of('I', meta.log), [&](auto key, auto value) {
    auto index = decode_index(value);
    good = good && index.has_value();
    if (!good) return false;
    ++count;
    index->info.offset = offset_of(key);
    index->info.appended = clock.steady(index->appended);
    log.restore(index->info);
    return true;
  });
  if (scanned && (!good || count != meta.count)) return damaged(channel, "index");
  return scanned;
}

/// In the order of their time, which is not that of their rows.
Result<void> load_marks(const Database& database, std::string_view channel, LogNumber number,
                        const StoreClock& clock, broker::Log& log) {
  std::vector<std::pair<std::string, Mark>> marks;
  bool good = true;
  auto scanned = database.scan(all_of('Q', number), [&](auto key, auto value) {
    const auto mark = decode_mark(value);
    good = good && mark.has_value();
    if (good) marks.emplace_back(name_of(key), *mark);
    return good;
  });
  if (scanned && !good) return damaged(channel, "marks");
  std::ranges::stable_sort(marks, {}, [](const auto& mark) { return mark.second.used; });
  for (const auto& [source, mark] : marks)
    log.restore_mark(source, mark.mark, clock.steady(mark.used));
  return scanned;
}

Result<void> load_keys(const Database& database, std::string_view channel, LogNumber number,
                       const StoreClock& clock, broker::Log& log) {
  std::vector<std::pair<std::string, Known>> keys;
  bool good = true;
  auto scanned = database.scan(all_of('K', number), [&](auto key, auto value) {
    const auto known = decode_known(value);
    good = good && known.has_value();
    if (good) keys.emplace_back(name_of(key), *known);
    return good;
  });
  if (scanned && !good) return damaged(channel, "Idempotency-Keys");
  std::ranges::stable_sort(keys, {}, [](const auto& key) { return key.second.since; });
  for (const auto& [key, known] : keys)
    log.restore_key(key, known.known, clock.steady(known.since));
  return scanned;
}

}  // namespace

void RowJournal::hear(LogNumber& number) {
  number_ = &number;
  changed_ = false;
  remembered_ = false;
}

void RowJournal::on_begun() {
  changed_ = true;
  erase_log(rows_, *number_);
  *number_ = new_number_();
}

void RowJournal::on_added(const broker::RecordInfo& info, const PublicationView& publication) {
  if (restoring_) return;
  changed_ = true;
  texts_ = encode(publication);
  rows_.put(index_key(*number_, info.offset), encode(info, clock_.at(info.appended)));
  rows_.put(texts_key(*number_, info.offset), texts_);
}

void RowJournal::on_removed(Offset offset) {
  changed_ = true;
  rows_.erase(index_key(*number_, offset));
  rows_.erase(texts_key(*number_, offset));
}

void RowJournal::on_mark(std::string_view source, const broker::SourceMarks::Mark& mark,
                         broker::TimePoint used) {
  changed_ = remembered_ = true;
  rows_.put(mark_key(*number_, source), encode(Mark{mark, clock_.at(used)}));
}

void RowJournal::on_mark_gone(std::string_view source) {
  changed_ = true;
  rows_.erase(mark_key(*number_, source));
}

void RowJournal::on_key(std::string_view key, const broker::IdempotencyKeys::Known& known,
                        broker::TimePoint since) {
  changed_ = remembered_ = true;
  rows_.put(known_key(*number_, key), encode(Known{known, clock_.at(since)}));
}

void RowJournal::on_key_gone(std::string_view key) {
  changed_ = true;
  rows_.erase(known_key(*number_, key));
}

void erase_log(RowBatch& rows, LogNumber log) {
  for (const char kind : {'I', 'P', 'Q', 'K'})
    rows.erase(all_of(kind, log));
}

Result<std::optional<LoadedLog>> load_log(const Database& database, std::string_view channel,
                                          const LoadOrder& order) {
  const auto row = database.get(meta_key(channel));
  if (!row) return row.error();
  if (!*row) return std::optional<LoadedLog>();
  const auto meta = decode_meta(**row);
  if (!meta) return damaged(channel, "head");
  order.number = meta->log;
  auto log = std::make_unique<broker::Log>(meta->of, order.options, order.limits);
  order.journal.hear(order.number);
  order.journal.restoring(true);
  log->tell(&order.journal);
  auto done = load_records(database, channel, *meta, order.clock, *log);
  order.journal.restoring(false);
  if (done && meta->remembers) done = load_marks(database, channel, meta->log, order.clock, *log);
  if (done && meta->remembers) done = load_keys(database, channel, meta->log, order.clock, *log);
  if (!done) return done.error();
  return std::optional(LoadedLog{*meta, std::move(log)});
}

Result<std::size_t> begin_epochs(Database& database, broker::EpochSource epochs) {
  std::list<RowBatch> batches;
  std::size_t count = 0;
  bool good = true;
  const auto scanned = database.scan(all_metas(), [&](auto key, auto value) {
    auto meta = decode_meta(value);
    good = meta.has_value();
    if (!good) return false;
    meta->of.head.epoch = epochs.above(meta->of.head.epoch);
    if (batches.empty() || batches.back().bytes() > kBatchBytes) batches.emplace_back();
    batches.back().put(key, encode(*meta));
    ++count;
    return true;
  });
  if (!scanned) return scanned.error();
  if (!good) return fail(ErrorCode::storage_unavailable, "the head of a channel cannot be read");
  std::vector<RowBatch*> all;
  for (RowBatch& batch : batches)
    all.push_back(&batch);
  if (const auto written = database.write(all); !written) return written.error();
  return count;
}

}  // namespace peal::disk
