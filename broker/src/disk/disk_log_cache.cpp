// DiskLogStore: which logs are in memory, and what becomes of those that are not needed.
#include <algorithm>

#include "disk/disk_log_store.hpp"

namespace peal::broker {
namespace {

/// Meta rows that one tick looks at.
constexpr std::size_t kSweep = 512;
/// How far behind the time may be that says when a log was last needed.
constexpr std::chrono::hours kUsedSlack{1};

}  // namespace

DiskLogStore::Entry& DiskLogStore::entry_of(std::string_view channel) {
  if (const auto found = by_name_.find(channel); found != by_name_.end()) {
    Entry& known = *found->second;
    if (known.log) loaded_.splice(loaded_.end(), loaded_, known.self);
    return known;
  }
  const auto entry = unloaded_.emplace(unloaded_.end());
  entry->name = channel;
  entry->self = entry;
  by_name_.emplace(entry->name, &*entry);
  return *entry;
}

/// Brings its log into memory. There may be none: then it is made now, or, while a batch is under
/// way, later.
Result<DiskLogStore::Found> DiskLogStore::find(Entry& entry, TimePoint now) {
  if (!entry.log) {
    auto found = load(entry, now);
    if (!found || *found == Found::later) return found;
  }
  // Told now and then, so that it isn't forgotten while it is used.
  if (!entry.uncommitted) used(entry, now);
  return Found::here;
}

Result<DiskLogStore::Found> DiskLogStore::load(Entry& entry, TimePoint now) {
  const disk::LoadOrder order{options_.intern(options_of_(entry.name)), limits_, shared_.clock,
                              journal_, entry.number};
  auto loaded = disk::load_log(shared_.database, entry.name, order);
  if (!loaded) return unreadable(loaded.error());
  if (*loaded) {
    probe_.loaded();
    entry.log = std::move((*loaded)->log);
    entry.used = (*loaded)->meta.used;
    entry.remembers = (*loaded)->meta.remembers;
    if (journal_.changed()) changed(entry);
  } else if (under_way_) {
    return Found::later;
  } else if (!shared_.commits.writable()) {
    return unavailable();
  } else {
    create(entry, now);
  }
  loaded_.splice(loaded_.end(), unloaded_, entry.self);
  recount(entry);
  make_room();
  return Found::here;
}

void DiskLogStore::used(Entry& entry, TimePoint now) {
  const disk::StoreTime at = shared_.clock.at(now);
  if (entry.used + kUsedSlack > at) return;
  entry.used = at;
  changed(entry);
}

void DiskLogStore::create(Entry& entry, TimePoint now) {
  const ChannelOptions& options = options_.intern(options_of_(entry.name));
  entry.log = std::make_unique<Log>(epochs_.next(), options, limits_);
  entry.log->keep(Log::Keeps::bare);
  entry.log->tell(&journal_);
  entry.number = shared_.commits.new_log();
  entry.used = shared_.clock.at(now);
  entry.remembers = false;
  entry.created = entry.uncommitted = true;
  ++logs_;
  changed(entry);
}

void DiskLogStore::drop_log(Entry& entry) {
  if (!entry.log) return;
  entry.log.reset();
  bytes_ -= entry.bytes;
  entry.bytes = 0;
  unloaded_.splice(unloaded_.end(), loaded_, entry.self);
  probe_.cache_is(loaded_.size(), bytes_);
}

void DiskLogStore::forget_if_idle(Entry& entry) {
  if (entry.log || entry.pins > 0 || entry.watched_as != kUnwatched) return;
  by_name_.erase(entry.name);
  unloaded_.erase(entry.self);
}

void DiskLogStore::recount(Entry& entry) {
  bytes_ -= entry.bytes;
  entry.bytes = sizeof(Entry) + entry.name.size() + entry.log->bytes();
  bytes_ += entry.bytes;
  probe_.cache_is(loaded_.size(), bytes_);
}

/// The last one is the one in use.
void DiskLogStore::make_room() {
  auto next = loaded_.begin();
  while (bytes_ > limits_.log_bytes_max && next != std::prev(loaded_.end())) {
    Entry& entry = *next++;
    if (entry.pins > 0) continue;
    drop_log(entry);
    forget_if_idle(entry);
  }
}

/// Some meta rows further each time: what is too old goes, and in the end the log itself.
void DiskLogStore::sweep(TimePoint now) {
  const disk::KeyRange all = disk::all_metas();
  const disk::StoreTime at = shared_.clock.at(now);
  std::vector<std::string> due;
  std::size_t looked = 0;
  std::string last;
  const auto scanned = shared_.database.scan(
      {swept_.empty() ? all.first : swept_, all.end}, [&](auto key, auto value) {
        last = key;
        const std::string_view channel = disk::channel_of(key);
        const auto meta = disk::decode_meta(value);
        if (!home_(channel) || !meta) return ++looked < kSweep;
        const bool old = meta->used + position_ttl(meta->of.head, limits_) <= at;
        const bool forgets = meta->remembers && meta->used + limits_.source_ttl <= at;
        const bool in_memory = by_name_.contains(channel);
        if (meta->count > 0 || old || forgets || in_memory) due.emplace_back(channel);
        return ++looked < kSweep;
      });
  if (!scanned) return;
  swept_ = looked < kSweep ? std::string() : last + '\0';
  for (const std::string& channel : due)
    look_at(channel, now);
}

void DiskLogStore::look_at(const std::string& channel, TimePoint now) {
  const auto found = by_name_.find(channel);
  if (found == by_name_.end() || !found->second->log) return look_at_unloaded(channel, now);
  Entry& entry = *found->second;
  if (entry.uncommitted) return;
  const disk::StoreTime at = shared_.clock.at(now);
  if (entry.watched_as != kUnwatched) used(entry, now);
  expire(entry, now);
  const bool idle = entry.watched_as == kUnwatched && entry.pins == 0 && entry.log->size() == 0;
  if (!idle || entry.used + position_ttl(entry.log->head(), limits_) > at) return;
  drop_log(entry);
  forget_if_idle(entry);
  look_at_unloaded(channel, now);
}

void DiskLogStore::look_at_unloaded(const std::string& channel, TimePoint now) {
  const disk::StoreTime at = shared_.clock.at(now);
  const bool watched = by_name_.contains(channel);
  const auto row = shared_.database.get(disk::meta_key(channel));
  const auto meta = row && *row ? disk::decode_meta(**row) : std::nullopt;
  if (!meta) return;
  const bool old = meta->used + position_ttl(meta->of.head, limits_) <= at;
  if (!watched && meta->count == 0 && old) {
    if (!under_way_) forget(channel, *meta);
    return;
  }
  const bool forgets = meta->remembers && meta->used + limits_.source_ttl <= at;
  const bool unsaid = watched && meta->used + kUsedSlack <= at;
  if (!forgets && !unsaid && !aged(channel, *meta, at)) return;
  Entry& entry = entry_of(channel);
  if (load(entry, now) && entry.log && !entry.uncommitted) return look_at(channel, now);
  forget_if_idle(entry);
}

/// Nothing of it is in memory, so its rows can go by themselves.
void DiskLogStore::forget(const std::string& channel, const disk::Meta& meta) {
  if (meta.remembers) disk::erase_log(journal_.rows(), meta.log);
  journal_.rows().erase(disk::meta_key(channel));
  ++forgotten_;
}

bool DiskLogStore::aged(const std::string& channel, const disk::Meta& meta,
                        disk::StoreTime at) const {
  const auto age_max = options_of_(channel).history_age_max;
  if (meta.count == 0 || age_max.count() == 0) return false;
  bool old = false;
  (void)shared_.database.scan(disk::all_of('I', meta.log), [&](auto, auto value) {
    const auto oldest = disk::decode_index(value);
    old = oldest && oldest->appended + age_max <= at;
    return false;
  });
  return old;
}

/// What is too old goes; all marks and keys have gone when none was used for long.
void DiskLogStore::expire(Entry& entry, TimePoint now) {
  journal_.hear(entry.number);
  entry.log->expire(now);
  const disk::StoreTime at = shared_.clock.at(now);
  const disk::StoreTime used_last = entry.used;
  if (journal_.changed()) {
    changed(entry);
    // Publications that were kept for longer than positions are: its time begins now.
    if (used_last + limits_.position_ttl <= at) entry.used = at;
  }
  if (entry.remembers && used_last + std::max(limits_.source_ttl, limits_.idempotency_ttl) <= at) {
    entry.remembers = false;
    changed(entry);
  }
  recount(entry);
}

}  // namespace peal::broker
