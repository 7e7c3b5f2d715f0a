#include "disk/disk_log_store.hpp"

#include "peal/proto/bus_refusals.hpp"

namespace peal::broker {
namespace {

/// Rows of one batch, roughly: what came after them waits for the next.
constexpr std::size_t kBatchBytes = 4 * 1024 * 1024;
constexpr std::chrono::seconds kStopWithin{2};

std::size_t count_metas(const disk::Database& database,
                        const std::function<bool(std::string_view)>& home) {
  std::size_t count = 0;
  (void)database.scan(disk::all_metas(), [&](auto key, auto) {
    count += home(disk::channel_of(key)) ? 1 : 0;
    return true;
  });
  return count;
}

}  // namespace

DiskLogStore::DiskLogStore(StoreSeat seat, DiskShared shared)
    : sink_(seat.sink),
      options_of_(std::move(seat.options_of)),
      limits_(seat.limits),
      epochs_(std::move(seat.epochs)),
      home_(std::move(seat.home)),
      shared_(shared),
      slot_(std::make_shared<disk::CommitSlot>(std::move(seat.wake))),
      journal_(shared.clock, [&commits = shared.commits] { return commits.new_log(); }),
      probe_handle_(shared.probes.add(probe_)),
      logs_(count_metas(shared.database, home_)),
      times_opened_(shared.commits.times_opened()) {
  shared_.commits.attach(slot_);
}

DiskLogStore::~DiskLogStore() {
  slot_->detach();
}

void DiskLogStore::changed(Entry& entry) {
  if (entry.meta_due) return;
  entry.meta_due = true;
  ++entry.pins;
  changed_.push_back(&entry);
}

void DiskLogStore::refuse(PeerId peer, bus::RequestId id, Error why) {
  answer(peer, bus::refused_publish(id, std::move(why)));
}

void DiskLogStore::answer(PeerId peer, const bus::Published& outcome) {
  if (peer != kNobody) sink_.on_outcome(peer, outcome);
}

Error DiskLogStore::unavailable() const {
  const std::string why = shared_.commits.trouble();
  return fail(ErrorCode::storage_unavailable, why.empty() ? "the store was not writable" : why);
}

void DiskLogStore::watch(LogId log, std::string_view channel, TimePoint now) {
  latest_ = now;
  Entry& entry = entry_of(channel);
  if (entry.watched_as != log) {
    if (entry.watched_as != kUnwatched) by_id_.erase(entry.watched_as);
    entry.watched_as = log;
    entry.told = false;
    by_id_.insert_or_assign(log, &entry);
  }
  judge_watch(log, now);
}

void DiskLogStore::unwatch(LogId log, TimePoint now) {
  latest_ = now;
  const auto found = by_id_.find(log);
  if (found == by_id_.end()) return;
  Entry& entry = *found->second;
  by_id_.erase(found);
  entry.watched_as = kUnwatched;
  entry.told = false;
  entry.pins -= static_cast<int>(std::erase(uncertain_, &entry));
  forget_if_idle(entry);
}

void DiskLogStore::append(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  latest_ = now;
  if (stopped_) {
    return refuse(peer, request.id, fail(ErrorCode::draining, "the store is being closed"));
  }
  if (queue_bytes_ + journal_.rows().bytes() > limits_.commit_queue_bytes_max) {
    return refuse(peer, request.id,
                  fail(ErrorCode::overloaded,
                       "limits.commit_queue_bytes_max bytes wait for the disk already"));
  }
  if (!under_way_ && queue_.empty()) return judge_append(peer, request, now);
  Asked asked{.what = Asked::What::append, .peer = peer};
  asked.publish.emplace(request);
  asked.bytes = bytes_of(request.publication) + request.channel.size() +
                request.idempotency_key.size() + sizeof(Asked);
  enqueue(std::move(asked));
}

void DiskLogStore::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  latest_ = now;
  judge_read(peer, request, now);
}

void DiskLogStore::enqueue(Asked asked) {
  queue_bytes_ += asked.bytes;
  queue_.push_back(std::move(asked));
}

void DiskLogStore::judge(const Asked& asked, TimePoint now) {
  switch (asked.what) {
    case Asked::What::watch:
      return judge_watch(asked.log, now);
    case Asked::What::read: {
      bus::ReadRequest request = asked.request;
      request.channel = asked.channel;
      return judge_read(asked.peer, request, now);
    }
    case Asked::What::append:
      return judge_append(asked.peer, asked.publish->request(), now);
  }
}

void DiskLogStore::judge_watch(LogId log, TimePoint now) {
  const auto watched = by_id_.find(log);
  if (watched == by_id_.end()) return;
  Entry& entry = *watched->second;
  const auto found = find(entry, now);
  if (!found) return sink_.on_head(log, found.error());
  if (*found == Found::later) {
    return enqueue({.what = Asked::What::watch, .channel = entry.name, .log = log});
  }
  if (!entry.uncommitted) return tell_head(entry, now);
  auto& dues = under_way_ ? dues_under_way_ : dues_;
  dues.push_back({.what = Due::What::watch, .entry = &entry});
}

void DiskLogStore::judge_read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  Entry& entry = entry_of(request.channel);
  const auto found = find(entry, now);
  if (!found) {
    forget_if_idle(entry);
    return sink_.on_page(peer, bus::failed_page(request.id, found.error()));
  }
  if (*found == Found::later) {
    Asked asked{.what = Asked::What::read, .channel = entry.name, .peer = peer};
    asked.request = request;
    enqueue(std::move(asked));
    return forget_if_idle(entry);
  }
  if (!entry.uncommitted) return tell_page(peer, entry, request, now);
  auto& dues = under_way_ ? dues_under_way_ : dues_;
  dues.push_back({.what = Due::What::read, .entry = &entry, .peer = peer, .request = request});
}

void DiskLogStore::judge_append(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  if (!shared_.commits.writable()) return refuse(peer, request.id, unavailable());
  Entry& entry = entry_of(request.channel);
  if (const auto found = find(entry, now); !found) {
    forget_if_idle(entry);
    return refuse(peer, request.id, found.error());
  }
  Log& log = *entry.log;
  const Epoch before = log.epoch();
  const auto fresh =
      request.replace ? std::optional(epochs_.above(before)) : std::optional<Epoch>();
  journal_.hear(entry.number);
  Due due{.what = Due::What::append, .entry = &entry, .peer = peer};
  due.outcome = log.append(request, now, fresh);
  due.texts = journal_.take_texts();
  if (log.epoch() != before) {
    ++epochs_ended_;
    due.reset = log.before_last();
  }
  if (journal_.remembered()) entry.remembers = true;
  if (journal_.changed()) {
    entry.uncommitted = true;
    entry.used = shared_.clock.at(now);
    changed(entry);
    recount(entry);
    make_room();
  }
  if (!entry.uncommitted) return answer(peer, due.outcome);
  dues_.push_back(std::move(due));
}

void DiskLogStore::turn(TimePoint now) {
  latest_ = now;
  if (under_way_) {
    if (const auto result = slot_->take()) finish(*result, now);
  }
  if (!uncertain_.empty()) tell_what_is_there(now);
  if (under_way_) return;
  while (!queue_.empty() && journal_.rows().bytes() < kBatchBytes) {
    const Asked asked = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= asked.bytes;
    judge(asked, now);
  }
  submit();
}

void DiskLogStore::submit() {
  if (changed_.empty() && journal_.rows().empty()) return;
  for (Entry* entry : changed_) {
    entry->meta_due = false;
    journal_.rows().put(
        disk::meta_key(entry->name),
        disk::encode(disk::Meta{entry->number, entry->log->meta(), entry->log->size(),
                                entry->remembers, entry->used}));
  }
  changed_under_way_ = std::exchange(changed_, {});
  dues_under_way_ = std::exchange(dues_, {});
  forgotten_under_way_ = std::exchange(forgotten_, 0);
  under_way_ = true;
  shared_.commits.submit(slot_, journal_.take_rows());
}

void DiskLogStore::tick(TimePoint now) {
  latest_ = now;
  sweep(now);
  turn(now);
}

void DiskLogStore::drop_peer(PeerId peer) {
  for (auto* dues : {&dues_, &dues_under_way_}) {
    for (Due& due : *dues) {
      if (due.peer == peer) due.peer = kNobody;
    }
  }
  for (Asked& asked : queue_) {
    if (asked.peer == peer) asked.peer = kNobody;
  }
}

/// Two rounds: what is under way, and what waited for it.
void DiskLogStore::stop() {
  for (int i = 0; i < 2; ++i) {
    turn(latest_);
    if (under_way_) slot_->wait(kStopWithin);
    turn(latest_);
  }
  stopped_ = true;
  while (!queue_.empty()) {
    const Asked& asked = queue_.front();
    if (asked.what == Asked::What::append) {
      refuse(asked.peer, asked.publish->id(),
             fail(ErrorCode::draining, "the store is being closed"));
    }
    queue_.pop_front();
  }
  for (const Due& due : dues_under_way_) {
    if (due.what != Due::What::append) continue;
    answer(due.peer, bus::unknown_publish(due.outcome.id, "the store was closed meanwhile"));
  }
  dues_under_way_.clear();
}

void DiskLogStore::each(const std::function<void(std::string_view, const Head&)>& visit) const {
  (void)shared_.database.scan(disk::all_metas(), [&](auto key, auto value) {
    const std::string_view channel = disk::channel_of(key);
    const auto meta = disk::decode_meta(value);
    if (meta && home_(channel)) visit(channel, meta->of.head);
    return true;
  });
}

LogStoreStats DiskLogStore::stats() const {
  return {logs_, bytes_, epochs_ended_};
}

}  // namespace peal::broker
