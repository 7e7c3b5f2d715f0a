#include "core/idempotency_keys.hpp"

#include "core/log_journal.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::broker {
namespace {

/// A key in the queue and in the index, by what the allocator gives for them.
std::size_t cost(std::string_view key) {
  return 112 + (key.size() > 15 ? key.size() + 16 : 0);
}

}  // namespace

std::uint64_t IdempotencyKeys::hash(const PublicationView& publication) {
  std::uint64_t hash = publication.kind == Kind::deletion ? 1 : 0;
  for (const std::string_view text :
       {publication.payload, publication.key, publication.type, publication.tags}) {
    hash = hash * 0x9e3779b97f4a7c15U + stable_hash(text) + text.size();
  }
  return hash;
}

std::optional<IdempotencyKeys::Known> IdempotencyKeys::find(std::string_view key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  return found->second->known;
}

void IdempotencyKeys::remember(std::string_view key, const Known& known, std::size_t most,
                               TimePoint now, LogJournal* journal) {
  if (most == 0) return;
  if (journal != nullptr) journal->on_key(key, known, now);
  while (entries_.size() >= most)
    forget_first(journal);
  entries_.push_back({std::string(key), known, now});
  keys_.emplace(entries_.back().key, &entries_.back());
  bytes_ += cost(key);
}

void IdempotencyKeys::expire(std::chrono::seconds ttl, TimePoint now, LogJournal* journal) {
  while (!entries_.empty() && entries_.front().since + ttl <= now)
    forget_first(journal);
}

void IdempotencyKeys::forget_first(LogJournal* journal) {
  if (journal != nullptr) journal->on_key_gone(entries_.front().key);
  bytes_ -= cost(entries_.front().key);
  keys_.erase(entries_.front().key);
  entries_.pop_front();
}

}  // namespace peal::broker
