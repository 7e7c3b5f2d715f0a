#include "core/memory_log_store.hpp"

#include <algorithm>

namespace peal::broker {
namespace {

/// Buckets of the name index that one tick looks at.
constexpr std::size_t kSweep = 8192;

/// What the allocator gives for so many bytes: its own word, in steps.
constexpr std::size_t heap_bytes(std::size_t asked) {
  return (asked + 8 + 15) / 16 * 16;
}

}  // namespace

/// A log's entry in the list and in both indexes: nodes and buckets.
const std::size_t MemoryLogStore::kEntryBytes =
    heap_bytes(sizeof(Entry) + 16) + heap_bytes(40) + heap_bytes(24) + 16;

std::unique_ptr<LogStore> make_memory_log_store(LogStoreSink& sink, OptionsOf options_of,
                                                const Limits& limits, EpochSource epochs) {
  return std::make_unique<MemoryLogStore>(sink, std::move(options_of), limits, std::move(epochs));
}

MemoryLogStore::MemoryLogStore(LogStoreSink& sink, OptionsOf options_of, const Limits& limits,
                               EpochSource epochs)
    : sink_(sink),
      options_of_(std::move(options_of)),
      limits_(limits),
      epochs_(std::move(epochs)) {}

Log MemoryLogStore::make_log(std::string_view channel, const Epoch& epoch) {
  return Log(epoch, options_.intern(options_of_(channel)), limits_);
}

MemoryLogStore::Entries::iterator MemoryLogStore::at(std::string_view channel, TimePoint now) {
  if (const auto found = by_name_.find(channel); found != by_name_.end()) {
    touch(found->second, now);
    return found->second;
  }
  blank_.push_back(
      {std::string(channel), make_log(channel, epochs_.next()), 0, now, kUnwatched, &blank_});
  const auto entry = std::prev(blank_.end());
  by_name_.emplace(entry->name, entry);
  recount(*entry);
  make_room(entry, now);
  return entry;
}

void MemoryLogStore::settle(Entries::iterator entry) {
  Entries* home = &watched_;
  if (entry->watched_as == kUnwatched)
    home = entry->log.head().top.value == 0 ? &blank_ : &unwatched_;
  home->splice(home->end(), *entry->home, entry);
  entry->home = home;
}

void MemoryLogStore::touch(Entries::iterator entry, TimePoint now) {
  entry->used = now;
  if (entry->watched_as == kUnwatched) settle(entry);
}

void MemoryLogStore::recount(Entry& entry) {
  bytes_ -= entry.bytes;
  entry.bytes = entry.log.bytes() - sizeof(Log) + kEntryBytes;
  if (entry.name.capacity() > std::string().capacity()) {
    entry.bytes += heap_bytes(entry.name.capacity() + 1);
  }
  bytes_ += entry.bytes;
}

void MemoryLogStore::make_room(Entries::iterator keep, TimePoint now) {
  const auto short_of_memory = [&] {
    return bytes_ > limits_.log_bytes_max || by_name_.size() > limits_.channels_max;
  };
  for (Entries* const entries : {&blank_, &unwatched_}) {
    while (short_of_memory()) {
      auto victim = entries->begin();
      if (victim == keep) ++victim;
      if (victim == entries->end()) break;
      give_up(victim, now);
    }
  }
  // A watched log can't vanish: it starts again, empty, behind all others.
  for (auto left = watched_.size(); left > 0 && bytes_ > limits_.log_bytes_max; --left) {
    const auto victim = watched_.begin();
    if (victim != keep) {
      give_up(victim, now);
    } else {
      watched_.splice(watched_.end(), watched_, victim);
    }
  }
}

void MemoryLogStore::give_up(Entries::iterator entry, TimePoint now) {
  ++epochs_ended_;
  if (entry->watched_as == kUnwatched) {
    bytes_ -= entry->bytes;
    by_name_.erase(entry->name);
    entry->home->erase(entry);
    return;
  }
  begin_anew(entry, epochs_.above(entry->log.epoch()), now);
}

void MemoryLogStore::begin_anew(Entries::iterator entry, const Epoch& epoch, TimePoint now) {
  entry->log = make_log(entry->name, epoch);
  recount(*entry);
  settle(entry);
  if (entry->watched_as != kUnwatched) sink_.on_reset(entry->watched_as, entry->log.head(now));
}

void MemoryLogStore::outrun(std::string_view channel, const Epoch& seen, TimePoint now) {
  const auto entry = at(channel, now);
  if (seen <= entry->log.epoch()) return;
  ++epochs_ended_;
  begin_anew(entry, epochs_.above(seen), now);
}

void MemoryLogStore::end_epochs(const WhichChannels& which, TimePoint now) {
  std::vector<Entries::iterator> ended;
  for (const auto& [name, entry] : by_name_) {
    if (which(name)) ended.push_back(entry);
  }
  for (const auto entry : ended)
    give_up(entry, now);
}

void MemoryLogStore::watch(LogId log, std::string_view channel, TimePoint now) {
  const auto entry = at(channel, now);
  entry->watched_as = log;
  settle(entry);
  by_id_.insert_or_assign(log, entry);
  sink_.on_head(log, entry->log.head(now));
}

void MemoryLogStore::unwatch(LogId log, TimePoint now) {
  const auto found = by_id_.find(log);
  if (found == by_id_.end()) return;
  const auto entry = found->second;
  by_id_.erase(found);
  entry->watched_as = kUnwatched;
  entry->used = now;
  settle(entry);
}

void MemoryLogStore::append(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  const auto entry = at(request.channel, now);
  const Epoch before = entry->log.epoch();
  const auto fresh = request.replace ? std::optional(epochs_.above(before)) : std::nullopt;
  const bus::Published outcome = entry->log.append(request, now, fresh);
  const bool appended = outcome.status == bus::Published::Status::ok && !outcome.duplicate;
  const bool begun = entry->log.epoch() != before;
  if (begun) ++epochs_ended_;
  if (begun && entry->watched_as != kUnwatched) {
    sink_.on_reset(entry->watched_as, entry->log.before_last());
  }
  if (appended && entry->watched_as != kUnwatched) {
    PublicationView publication = request.publication;
    publication.offset = outcome.position->offset;
    sink_.on_appended(entry->watched_as, outcome.position->epoch, publication);
  }
  sink_.on_outcome(peer, outcome);
  if (!appended) return;
  touch(entry, now);
  recount(*entry);
  make_room(entry, now);
}

void MemoryLogStore::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  const auto entry = at(request.channel, now);
  sink_.on_page(peer, entry->log.read(request, page_, now));
}

void MemoryLogStore::tick(TimePoint now) {
  const std::size_t buckets = by_name_.bucket_count();
  std::vector<Entries::iterator> forgotten;
  for (std::size_t i = 0; i < std::min(kSweep, buckets); ++i) {
    swept_ = (swept_ + 1) % buckets;
    for (auto found = by_name_.begin(swept_); found != by_name_.end(swept_); ++found) {
      const auto entry = found->second;
      entry->log.expire(now);
      recount(*entry);
      const bool watched = entry->watched_as != kUnwatched;
      const auto until = entry->used + position_ttl(entry->log.head(), limits_);
      if (!watched && until <= now) forgotten.push_back(entry);
    }
  }
  for (const auto entry : forgotten)
    give_up(entry, now);
}

void MemoryLogStore::each(const std::function<void(std::string_view, const Head&)>& visit) const {
  for (const Entries* entries : {&blank_, &unwatched_, &watched_}) {
    for (const Entry& entry : *entries)
      visit(entry.name, entry.log.head());
  }
}

LogStoreStats MemoryLogStore::stats() const {
  return {by_name_.size(), bytes_, epochs_ended_};
}

}  // namespace peal::broker
