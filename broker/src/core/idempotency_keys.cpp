#include "core/idempotency_keys.hpp"

#include "peal/proto/channel_name.hpp"

namespace peal::broker {

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
                               TimePoint now) {
  if (most == 0) return;
  while (entries_.size() >= most)
    forget_first();
  entries_.push_back({std::string(key), known, now});
  keys_.emplace(entries_.back().key, &entries_.back());
  bytes_ += key.size();
}

void IdempotencyKeys::expire(std::chrono::seconds ttl, TimePoint now) {
  while (!entries_.empty() && entries_.front().since + ttl <= now)
    forget_first();
}

void IdempotencyKeys::forget_first() {
  bytes_ -= entries_.front().key.size();
  keys_.erase(entries_.front().key);
  entries_.pop_front();
}

}  // namespace peal::broker
