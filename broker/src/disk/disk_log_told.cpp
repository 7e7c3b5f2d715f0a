// DiskLogStore: what is told when a batch is committed, or wasn't.
#include <algorithm>

#include "disk/disk_log_store.hpp"

#include "peal/proto/bus_refusals.hpp"

namespace peal::broker {

using Committed = disk::Committed;

void DiskLogStore::finish(Committed result, TimePoint now) {
  under_way_ = false;
  auto dues = std::exchange(dues_under_way_, {});
  auto entries = std::exchange(changed_under_way_, {});
  if (result == Committed::done) {
    for (Entry* entry : entries) {
      entry->uncommitted = entry->created = false;
      --entry->pins;
    }
    logs_ -= std::exchange(forgotten_under_way_, 0);
    tell(dues, now);
    return make_room();
  }
  // What was gathered meanwhile are removals by age: they are found again.
  (void)journal_.take_rows();
  forgotten_ = forgotten_under_way_ = 0;
  entries.insert(entries.end(), changed_.begin(), changed_.end());
  changed_.clear();
  for (Entry* entry : entries) {
    const bool may_be_there = entry->uncommitted && result == Committed::unknown;
    if (entry->created) --logs_;
    entry->uncommitted = entry->created = entry->meta_due = false;
    drop_log(*entry);
    if (may_be_there && entry->told && std::ranges::count(uncertain_, entry) == 0) {
      uncertain_.push_back(entry);
      ++entry->pins;
    }
  }
  tell_failure(dues, result);
  for (Entry* entry : entries) {
    if (--entry->pins == 0) forget_if_idle(*entry);
  }
}

/// Publications and outcomes first, then who asked where the log stands, which includes them.
void DiskLogStore::tell(const std::vector<Due>& dues, TimePoint now) {
  std::size_t appended = 0;
  for (const Due& due : dues) {
    if (due.what != Due::What::append) continue;
    appended += due.texts.empty() ? 0 : 1;
    tell_append(due);
  }
  probe_.appended(appended);
  for (const Due& due : dues) {
    if (due.what == Due::What::watch && due.entry->watched_as != kUnwatched) {
      tell_head(*due.entry, now);
    } else if (due.what == Due::What::read) {
      bus::ReadRequest request = due.request;
      request.channel = due.entry->name;
      tell_page(due.peer, *due.entry, request, now);
    }
  }
}

void DiskLogStore::tell_append(const Due& due) {
  Entry& entry = *due.entry;
  const bool watched = entry.watched_as != kUnwatched && entry.told;
  if (due.reset && watched) {
    entry.last_told = *due.reset;
    sink_.on_reset(entry.watched_as, *due.reset);
  }
  if (!due.texts.empty() && due.outcome.position && watched) {
    if (auto publication = disk::decode_texts(due.texts)) {
      publication->offset = due.outcome.position->offset;
      entry.last_told.top = publication->offset;
      sink_.on_appended(entry.watched_as, due.outcome.position->epoch, *publication);
    }
  }
  answer(due.peer, due.outcome);
}

void DiskLogStore::tell_head(Entry& entry, TimePoint now) {
  journal_.hear(entry.number);
  entry.last_told = entry.log->head(now);
  if (journal_.changed()) changed(entry);
  entry.told = true;
  sink_.on_head(entry.watched_as, entry.last_told);
}

void DiskLogStore::tell_page(PeerId peer, Entry& entry, const bus::ReadRequest& request,
                             TimePoint now) {
  if (peer == kNobody) return;
  journal_.hear(entry.number);
  bus::Page page = entry.log->plan(request, pieces_, now);
  if (journal_.changed()) changed(entry);
  if (auto filled = fill(entry, pieces_); !filled) {
    page = bus::Page();
    page.id = request.id;
    page.error = unreadable(filled.error());
  } else {
    page.publications = page_;
  }
  sink_.on_page(peer, page);
  texts_.clear();
}

/// Reads the publications of a page; of each payload only what is asked for.
Result<void> DiskLogStore::fill(const Entry& entry, std::span<const Log::Piece> pieces) {
  std::vector<Log::Piece> upward(pieces.begin(), pieces.end());
  std::ranges::sort(upward, {}, [](const Log::Piece& piece) { return piece.offset; });
  std::vector<std::string> keys;
  keys.reserve(upward.size());
  for (const Log::Piece& piece : upward)
    keys.push_back(disk::texts_key(entry.number, piece.offset));
  texts_.clear();
  auto picked = shared_.database.pick(keys, [&](auto key, auto value) {
    const Log::Piece& piece = upward[texts_.size()];
    auto publication = disk::decode_texts(value);
    if (!publication || disk::offset_of(key) != piece.offset) return false;
    publication->offset = piece.offset;
    publication->payload =
        publication->payload.substr(std::min(piece.begin, publication->payload.size()), piece.size);
    texts_.push_back(copy_of(*publication));
    return true;
  });
  if (!picked) return picked;
  if (texts_.size() != pieces.size()) {
    return fail(ErrorCode::storage_unavailable,
                "a publication of channel " + entry.name + " is missing or damaged");
  }
  page_.clear();
  for (const Publication& publication : texts_)
    page_.push_back(view_of(publication));
  const bool downward = pieces.size() > 1 && pieces.front().offset > pieces.back().offset;
  if (downward) std::ranges::reverse(page_);
  return {};
}

void DiskLogStore::tell_failure(std::vector<Due>& dues, Committed result) {
  const bool unknown = result == Committed::unknown;
  const Error trouble = unavailable();
  for (Due& due : dues) {
    if (due.what == Due::What::watch) {
      if (due.entry->watched_as != kUnwatched) sink_.on_head(due.entry->watched_as, trouble);
    } else if (due.peer == kNobody) {
      continue;
    } else if (due.what == Due::What::read) {
      sink_.on_page(due.peer, bus::failed_page(due.request.id, trouble));
    } else if (unknown) {
      answer(due.peer, bus::unknown_publish(due.outcome.id, trouble.message));
    } else {
      refuse(due.peer, due.outcome.id, trouble);
    }
  }
}

/// The store is open again: what a failed batch left behind is told like a publication that got
/// lost on the way, by where the log stands.
void DiskLogStore::tell_what_is_there(TimePoint now) {
  if (under_way_ || shared_.commits.times_opened() == times_opened_) return;
  times_opened_ = shared_.commits.times_opened();
  for (Entry* entry : std::exchange(uncertain_, {})) {
    --entry->pins;
    if (auto found = load(*entry, now); !found) {
      ++entry->pins;
      uncertain_.push_back(entry);
      continue;
    }
    const Head head = entry->log->head();
    const bool same = head.epoch == entry->last_told.epoch && head.top == entry->last_told.top;
    entry->last_told = head;
    if (!same && !entry->uncommitted) sink_.on_reset(entry->watched_as, head);
  }
}

Error DiskLogStore::unreadable(const Error& error) {
  if (error.code != ErrorCode::not_ready) shared_.commits.found_damage(error.message);
  return fail(ErrorCode::storage_unavailable, error.message);
}

}  // namespace peal::broker
