#include "core/source_marks.hpp"

#include "core/log_journal.hpp"

namespace peal::broker {
namespace {

/// A mark in the list and in the index, by what the allocator gives for them.
std::size_t cost(std::string_view source) {
  return 184 + (source.size() > 15 ? source.size() + 16 : 0);
}

}  // namespace

std::optional<SourceMarks::Mark> SourceMarks::find(std::string_view source) const {
  const auto found = marks_.find(source);
  if (found == marks_.end()) return std::nullopt;
  return found->second->mark;
}

void SourceMarks::set(std::string_view source, const Mark& mark, std::size_t most, TimePoint now,
                      LogJournal* journal) {
  if (most == 0) return;
  if (journal != nullptr) journal->on_mark(source, mark, now);
  if (const auto found = marks_.find(source); found != marks_.end()) {
    found->second->mark = mark;
    found->second->used = now;
    entries_.splice(entries_.end(), entries_, found->second);
    return;
  }
  while (entries_.size() >= most)
    forget_first(journal);
  entries_.push_back({std::string(source), mark, now});
  marks_.emplace(entries_.back().source, std::prev(entries_.end()));
  bytes_ += cost(source);
}

void SourceMarks::expire(std::chrono::seconds ttl, TimePoint now, LogJournal* journal) {
  while (!entries_.empty() && entries_.front().used + ttl <= now)
    forget_first(journal);
}

void SourceMarks::forget_first(LogJournal* journal) {
  if (journal != nullptr) journal->on_mark_gone(entries_.front().source);
  bytes_ -= cost(entries_.front().source);
  marks_.erase(entries_.front().source);
  entries_.pop_front();
}

}  // namespace peal::broker
