#include "redis_store/redis_log_store.hpp"

#include <algorithm>
#include <random>

#include "peal/proto/bus_refusals.hpp"

namespace peal::broker {
namespace {

using redis_store::Asked;
using redis_store::Came;

/// Publishes of one call, and their bytes: more wait for the next.
constexpr std::size_t kBatchLength = 128;
constexpr std::size_t kBatchBytes = 1024 * 1024;
/// Logs that aren't watched and whose place is remembered, for `peal channels`.
constexpr std::size_t kSeenMax = 10'000;
constexpr std::chrono::seconds kStopWithin{2};
constexpr std::chrono::milliseconds kStopStep{20};
/// Stands where the thread puts the script's hash.
constexpr std::string_view kSha = "?";

}  // namespace

RedisLogStore::RedisLogStore(StoreSeat seat, redis_store::RedisThread& thread,
                             runtime::ProbeRegistry& probes, RedisStorage::Ahead ahead)
    : sink_(seat.sink),
      options_of_(std::move(seat.options_of)),
      limits_(seat.limits),
      epochs_(std::move(seat.epochs)),
      thread_(thread),
      ahead_(std::move(ahead)),
      link_(thread.attach(std::move(seat.wake))),
      probe_handle_(probes.add(probe_)) {
  if (seat.presence == nullptr) return;
  const auto follows = [this](std::string_view channel) {
    const auto found = by_name_.find(channel);
    return found != by_name_.end() && found->second->watched_as != kUnwatched &&
           found->second->follower.is_subscribed();
  };
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  RedisPresence::Seat place{.sink = *seat.presence, .limits = limits_};
  place.random = [engine = std::mt19937_64(seed)]() mutable { return engine(); };
  place.follows = follows;
  place.sweeps = link_->first();
  presence_ = std::make_unique<RedisPresence>(std::move(place), thread, asked_);
}

RedisLogStore::~RedisLogStore() {
  for (const auto& [log, entry] : by_id_)
    asked_.push_back({.what = Asked::What::unsubscribe, .channel = entry->name});
  link_->ask(asked_);
  link_->detach();
}

RedisLogStore::Entry& RedisLogStore::entry_of(std::string_view channel, TimePoint now) {
  latest_ = now;
  if (const auto found = by_name_.find(channel); found != by_name_.end()) {
    found->second->used = now;
    entries_.splice(entries_.end(), entries_, found->second->self);
    return *found->second;
  }
  Entry& entry = entries_.emplace_back();
  entry.name = channel;
  entry.self = std::prev(entries_.end());
  entry.options = &options_.intern(options_of_(channel));
  entry.used = entry.touched = now;
  by_name_.emplace(entry.name, &entry);
  return entry;
}

/// An idle log's place is remembered for a while, if it has one.
void RedisLogStore::forget_if_idle(Entry& entry) {
  const bool idle = entry.watched_as == kUnwatched && entry.queue.empty() && entry.dues.empty() &&
                    entry.calls == 0 && !entry.dirty;
  if (!idle) return;
  if (entry.seen && entry.used + limits_.position_ttl > latest_ && entries_.size() <= kSeenMax) {
    return;
  }
  by_name_.erase(entry.name);
  entries_.erase(entry.self);
}

void RedisLogStore::mark(Entry& entry) {
  if (entry.dirty) return;
  entry.dirty = true;
  dirty_.push_back(&entry);
}

void RedisLogStore::refuse(PeerId peer, bus::RequestId id, Error why) {
  if (peer != kNobody) sink_.on_outcome(peer, bus::refused_publish(id, std::move(why)));
}

void RedisLogStore::watch(LogId log, std::string_view channel, TimePoint now) {
  Entry& entry = entry_of(channel, now);
  if (entry.watched_as != log) {
    const bool subscribed = entry.watched_as != kUnwatched;
    if (subscribed) by_id_.erase(entry.watched_as);
    entry.watched_as = log;
    by_id_.insert_or_assign(log, &entry);
    entry.follower.restart();
    entry.heads_due.clear();
    entry.subscription = ++tickets_;
    if (subscribed) {
      asked_.push_back({.what = Asked::What::unsubscribe, .channel = entry.name});
    }
    asked_.push_back(
        {.what = Asked::What::subscribe, .ticket = entry.subscription, .channel = entry.name});
  }
  if (entry.heads_due.empty()) entry.beats = 0;
  entry.heads_due.push_back(entry.follower.heads_asked());
  entry.follower.want_head();
  mark(entry);
}

void RedisLogStore::unwatch(LogId log, TimePoint now) {
  latest_ = now;
  const auto found = by_id_.find(log);
  if (found == by_id_.end()) return;
  Entry& entry = *found->second;
  by_id_.erase(found);
  if (entry.follower.told()) entry.seen = entry.follower.told();
  entry.watched_as = kUnwatched;
  entry.heads_due.clear();
  entry.follower.restart();
  if (presence_) presence_->broken(entry.name);
  asked_.push_back({.what = Asked::What::unsubscribe, .channel = entry.name});
  mark(entry);
}

void RedisLogStore::append(PeerId peer, const bus::PublishRequest& request, TimePoint now) {
  if (stopped_) {
    return refuse(peer, request.id, fail(ErrorCode::draining, "the store is being closed"));
  }
  if (queue_bytes_ > limits_.commit_queue_bytes_max) {
    return refuse(
        peer, request.id,
        fail(ErrorCode::overloaded, "limits.commit_queue_bytes_max bytes wait for Redis already"));
  }
  Entry& entry = entry_of(request.channel, now);
  if (!entry.options->recoverable) return publish_ephemeral(entry, peer, request);
  Waiting waiting{.peer = peer};
  waiting.publish.emplace(request);
  waiting.bytes = bytes_of(request.publication) + sizeof(Waiting);
  queue_bytes_ += waiting.bytes;
  entry.queue.push_back(std::move(waiting));
  mark(entry);
}

void RedisLogStore::publish_ephemeral(Entry& entry, PeerId peer,
                                      const bus::PublishRequest& request) {
  std::vector<std::string> args{std::string(thread_.publish_verb()),
                                thread_.keys().told_on(entry.name),
                                redis_store::ephemeral_message(request.publication)};
  ++entry.calls;
  send({.what = Call::What::ephemeral, .entry = &entry, .askers = {{peer, request.id}}},
       std::move(args), Asked::What::publish);
}

void RedisLogStore::read(PeerId peer, const bus::ReadRequest& request, TimePoint now) {
  Entry& entry = entry_of(request.channel, now);
  Waiting waiting{.peer = peer};
  waiting.read = request;
  entry.queue.push_back(std::move(waiting));
  mark(entry);
}

std::vector<std::string> RedisLogStore::frame(const Entry& entry, std::string_view operation) {
  const auto ahead = ahead_ ? ahead_(latest_) : std::chrono::milliseconds(0);
  return redis_store::call({.keys = thread_.keys(),
                            .channel = entry.name,
                            .options = *entry.options,
                            .limits = limits_,
                            .publish_verb = thread_.publish_verb(),
                            .time = "+" + std::to_string(ahead.count()),
                            .fresh = epochs_.next()},
                           operation, kSha);
}

void RedisLogStore::send(Call call, std::vector<std::string> args, Asked::What what) {
  const bool append = call.what == Call::What::append;
  asked_.push_back({.what = what,
                    .ticket = ++tickets_,
                    .channel = call.entry->name,
                    .args = std::move(args),
                    .replicated = append});
  calls_.emplace(tickets_, std::move(call));
}

void RedisLogStore::pump(Entry& entry) {
  while (!entry.queue.empty() && !entry.appending) {
    if (entry.queue.front().publish) {
      send_appends(entry);
    } else {
      send_read(entry);
    }
  }
  send_question(entry);
}

void RedisLogStore::send_appends(Entry& entry) {
  auto args = frame(entry, "append");
  Call call{.what = Call::What::append, .entry = &entry};
  std::size_t bytes = 0;
  while (!entry.queue.empty() && entry.queue.front().publish && call.askers.size() < kBatchLength &&
         bytes < kBatchBytes) {
    const Waiting& waiting = entry.queue.front();
    redis_store::add_publish(args, waiting.publish->request(), epochs_.next());
    call.askers.push_back({waiting.peer, waiting.publish->id()});
    bytes += waiting.bytes;
    queue_bytes_ -= waiting.bytes;
    entry.queue.pop_front();
  }
  probe_.append_called(call.askers.size());
  entry.appending = true;
  ++entry.calls;
  send(std::move(call), std::move(args), Asked::What::call);
}

void RedisLogStore::send_read(Entry& entry) {
  auto args = frame(entry, "read");
  const Waiting waiting = std::move(entry.queue.front());
  entry.queue.pop_front();
  redis_store::add_read(args, waiting.read);
  ++entry.calls;
  send({.what = Call::What::read, .entry = &entry, .askers = {{waiting.peer, waiting.read.id}}},
       std::move(args), Asked::What::call);
}

void RedisLogStore::send_question(Entry& entry) {
  using What = redis_store::LogFollower::Question::What;
  if (entry.watched_as == kUnwatched || entry.asked_later || !entry.options->recoverable) return;
  const auto question = entry.follower.ask();
  if (!question) return;
  probe_.question_asked();
  std::vector<std::string> args;
  if (question->what == What::page) {
    probe_.page_repaired();
    args = frame(entry, "read");
    bus::ReadRequest missing;
    missing.epoch = question->epoch;
    missing.after = question->after;
    missing.limit = limits_.page_length_max;
    missing.bytes = kBatchBytes;
    redis_store::add_read(args, missing);
  } else if (question->what == What::end) {
    args = frame(entry, "end");
    redis_store::add_end(args, question->epoch);
  } else {
    args = frame(entry, "head");
  }
  entry.touched = latest_;
  ++entry.calls;
  send({.what = Call::What::question, .entry = &entry, .question = *question}, std::move(args),
       Asked::What::call);
}

void RedisLogStore::turn(TimePoint now) {
  latest_ = now;
  link_->take(came_);
  for (Came& came : came_)
    hear(came);
  while (!dirty_.empty()) {
    const auto dirty = std::exchange(dirty_, {});
    for (Entry* entry : dirty) {
      entry->dirty = false;
      pump(*entry);
      settle(*entry);
      forget_if_idle(*entry);
    }
  }
  link_->ask(asked_);
  wish_beats();
}

void RedisLogStore::wish_beats() {
  const bool wished = waits_ || (presence_ && presence_->wants_beats());
  if (wished == beats_) return;
  beats_ = wished;
  link_->wish_beats(wished);
}

void RedisLogStore::tick(TimePoint now) {
  latest_ = now;
  touch_watched();
  for (auto entry = entries_.begin();
       entry != entries_.end() &&
       (entry->used + limits_.position_ttl <= now || entries_.size() > kSeenMax);) {
    Entry& old = *entry++;
    if (old.watched_as == kUnwatched) forget_if_idle(old);
  }
}

/// Redis forgets where a log stands when nobody asks for long: watched ones are asked for.
void RedisLogStore::touch_watched() {
  for (const auto& [log, entry] : by_id_) {
    if (entry->touched + limits_.position_ttl / 4 > latest_) continue;
    entry->touched = entry->used = latest_;
    entry->follower.want_head();
    mark(*entry);
  }
}

void RedisLogStore::drop_peer(PeerId peer) {
  if (presence_) presence_->drop_peer(peer);
  for (Entry& entry : entries_) {
    for (Waiting& waiting : entry.queue)
      if (waiting.peer == peer) waiting.peer = kNobody;
    for (Due& due : entry.dues)
      if (due.peer == peer) due.peer = kNobody;
  }
  for (auto& [ticket, call] : calls_) {
    for (Call::Asker& asker : call.askers)
      if (asker.peer == peer) asker.peer = kNobody;
  }
}

/// What was asked is sent, and answered if Redis is quick.
void RedisLogStore::stop() {
  if (std::exchange(stopped_, true)) return;
  const bool goes = presence_ && presence_->stop();
  const auto deadline = std::chrono::steady_clock::now() + kStopWithin;
  const auto open = [this, goes] {
    return (goes && presence_->busy()) ||
           std::ranges::any_of(calls_,
                               [](const auto& one) { return !one.second.askers.empty(); }) ||
           std::ranges::any_of(entries_, [](const Entry& entry) {
             return !entry.queue.empty() || !entry.dues.empty();
           });
  };
  for (turn(latest_); open() && std::chrono::steady_clock::now() < deadline; turn(latest_))
    link_->wait(kStopStep);
  std::vector<Call::Asker> unanswered;
  for (Entry& entry : entries_) {
    for (Due& due : entry.dues)
      tell(entry, due);
    entry.dues.clear();
  }
  for (auto& [ticket, call] : calls_) {
    const bool published = call.what == Call::What::append || call.what == Call::What::ephemeral;
    if (published) unanswered.insert(unanswered.end(), call.askers.begin(), call.askers.end());
  }
  for (Entry& entry : entries_) {
    for (const Waiting& waiting : entry.queue)
      if (waiting.publish) unanswered.push_back({waiting.peer, waiting.publish->id()});
    entry.queue.clear();
  }
  calls_.clear();
  for (const Call::Asker& asker : unanswered) {
    if (asker.peer == kNobody) continue;
    sink_.on_outcome(asker.peer, bus::unknown_publish(asker.id, "the store was closed meanwhile"));
  }
}

void RedisLogStore::each(const std::function<void(std::string_view, const Head&)>& visit) const {
  for (const Entry& entry : entries_) {
    const auto& head = entry.watched_as == kUnwatched || !entry.follower.told()
                           ? entry.seen
                           : entry.follower.told();
    if (head) visit(entry.name, *head);
  }
}

LogStoreStats RedisLogStore::stats() const {
  std::size_t logs = 0;
  each([&](auto, const auto&) { ++logs; });
  return {logs, 0, epochs_ended_};
}

}  // namespace peal::broker
