#include "core/source_marks.hpp"

namespace peal::broker {

std::optional<SourceMarks::Mark> SourceMarks::find(std::string_view source) const {
  const auto found = marks_.find(source);
  if (found == marks_.end()) return std::nullopt;
  return found->second->mark;
}

void SourceMarks::set(std::string_view source, const Mark& mark, std::size_t most, TimePoint now) {
  if (const auto found = marks_.find(source); found != marks_.end()) {
    found->second->mark = mark;
    found->second->used = now;
    entries_.splice(entries_.end(), entries_, found->second);
    return;
  }
  if (most == 0) return;
  while (entries_.size() >= most)
    forget_first();
  entries_.push_back({std::string(source), mark, now});
  marks_.emplace(entries_.back().source, std::prev(entries_.end()));
  bytes_ += source.size();
}

void SourceMarks::expire(std::chrono::seconds ttl, TimePoint now) {
  while (!entries_.empty() && entries_.front().used + ttl <= now)
    forget_first();
}

void SourceMarks::forget_first() {
  bytes_ -= entries_.front().source.size();
  marks_.erase(entries_.front().source);
  entries_.pop_front();
}

}  // namespace peal::broker
