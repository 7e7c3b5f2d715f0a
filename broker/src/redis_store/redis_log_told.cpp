// RedisLogStore: what comes from Redis, and when it is told.
#include <algorithm>
#include <array>

#include "redis_store/redis_log_store.hpp"

#include "peal/proto/bus_refusals.hpp"

namespace peal::broker {
namespace {

using redis::Answer;
using redis_store::Asked;
using redis_store::Came;
using Status = bus::Published::Status;

/// Beats after which what was published should have come: the log is asked where it stands.
constexpr int kLateBeats = 2;
/// Beats after which an outcome is told although its publication was not.
constexpr int kPatientBeats = 40;
/// Beats that a watch waits for Redis before it is refused.
constexpr int kWatchBeats = 12;

/// Errors of a script's first write: it has done nothing.
bool nothing_done(const Answer& answer) {
  if (answer.outcome == redis::Outcome::refused) return true;
  constexpr std::array<std::string_view, 5> kFirstWrites = {"OOM", "READONLY", "MISCONF",
                                                            "NOREPLICAS", "STALEMASTER"};
  const std::string_view code = answer.reply.error_code();
  return answer.outcome == redis::Outcome::failed &&
         std::ranges::find(kFirstWrites, code) != kFirstWrites.end();
}

std::string reason(const Answer& answer) {
  return answer.error.empty() ? "Redis answered with something else" : answer.error;
}

Error unavailable(const Answer& answer) {
  return fail(ErrorCode::storage_unavailable, reason(answer));
}

}  // namespace

/// What a follower finds is told to the core.
class RedisLogStore::Out final : public redis_store::FollowerOut {
 public:
  Out(RedisLogStore& store, Entry& entry) : store_(store), entry_(entry) {}
  void on_found(const Head& head) override {
    for (std::size_t owed = entry_.heads_due.size(); owed > 0 && watched(); --owed)
      store_.sink_.on_head(entry_.watched_as, head);
    entry_.heads_due.clear();
  }
  void on_reset(const Head& head) override {
    ++store_.epochs_ended_;
    store_.probe_.reset_told();
    if (watched()) store_.sink_.on_reset(entry_.watched_as, head);
  }
  void on_appended(const Epoch& epoch, const PublicationView& publication) override {
    if (watched()) store_.sink_.on_appended(entry_.watched_as, epoch, publication);
  }

 private:
  bool watched() const { return entry_.watched_as != kUnwatched; }
  RedisLogStore& store_;
  Entry& entry_;
};

void RedisLogStore::hear(Came& came) {
  if (came.what == Came::What::answer) return on_answer(came);
  if (came.what == Came::What::beat) return on_beat();
  const std::string_view channel = thread_.keys().channel_of(came.channel);
  const auto found = by_name_.find(channel);
  if (found == by_name_.end() || found->second->watched_as == kUnwatched) return;
  Entry& entry = *found->second;
  if (came.ticket != entry.subscription) return;
  switch (came.what) {
    case Came::What::subscribed:
      entry.follower.subscribed();
      if (presence_) presence_->subscribed(channel);
      break;
    case Came::What::broken:
      probe_.subscription_broken();
      entry.follower.broken();
      if (presence_) presence_->broken(channel);
      break;
    default:
      on_message(entry, came.payload);
      break;
  }
  mark(entry);
}

void RedisLogStore::on_message(Entry& entry, std::string_view message) {
  if (redis_store::is_presence(message)) {
    if (presence_) presence_->heard(entry.name, message);
    return;
  }
  if (entry.options->recoverable) {
    Out out(*this, entry);
    return entry.follower.hear(message, out);
  }
  if (!entry.follower.is_subscribed() || stopped_) return;
  (void)redis_store::each_told(message, [&](const redis_store::Told& told) {
    if (told.what != redis_store::Told::What::ephemeral) return;
    if (entry.watched_as != kUnwatched) {
      sink_.on_appended(entry.watched_as, Epoch{}, told.publication);
    }
  });
}

void RedisLogStore::on_answer(Came& came) {
  if (presence_ && presence_->answered(came)) return;
  auto found = calls_.extract(came.ticket);
  if (!found) return;
  Call& call = found.mapped();
  Entry& entry = *call.entry;
  --entry.calls;
  mark(entry);
  switch (call.what) {
    case Call::What::append:
    case Call::What::ephemeral:
      return on_appends(call, came.answer);
    case Call::What::read:
      return on_read(call, came.answer);
    case Call::What::question:
      return on_question(call, came.answer);
  }
}

void RedisLogStore::on_appends(Call& call, Answer& answer) {
  Entry& entry = *call.entry;
  if (call.what == Call::What::append) entry.appending = false;
  auto outcomes = answer.ok() && call.what == Call::What::append
                      ? redis_store::outcomes_of(answer.reply)
                      : std::nullopt;
  const bool readable = outcomes && outcomes->size() == call.askers.size();
  const bool passed = answer.ok() && call.what == Call::What::ephemeral;
  const auto wanted = static_cast<std::int64_t>(thread_.wait_replicas());
  const bool alone = readable && wanted > 0 && answer.replicas < wanted;
  for (std::size_t i = 0; i < call.askers.size(); ++i) {
    Due due{.peer = call.askers[i].peer, .stamp = entry.follower.heads_asked()};
    bus::Published& outcome = due.outcome;
    if (readable) {
      outcome = std::move((*outcomes)[i].published);
      const Epoch& epoch = (*outcomes)[i].epoch;
      if (outcome.status == Status::ok && outcome.position) due.shows = outcome.position;
      if (!entry.seen || entry.seen->epoch != epoch) entry.seen = Head{epoch, {}, {}};
      if (due.shows) entry.seen->top = std::max(entry.seen->top, due.shows->offset);
    }
    outcome.id = call.askers[i].id;
    if (alone && outcome.status == Status::ok) {
      outcome = bus::Published();
      outcome.id = call.askers[i].id;
      outcome.status = Status::unknown;
      outcome.error = fail(ErrorCode::publish_outcome_unknown,
                           "only " + std::to_string(std::max<std::int64_t>(answer.replicas, 0)) +
                               " replicas had it within redis.wait_timeout");
    } else if (!readable && !passed) {
      const bool refused = nothing_done(answer);
      outcome.status = refused ? Status::refused : Status::unknown;
      outcome.error =
          refused ? unavailable(answer) : fail(ErrorCode::publish_outcome_unknown, reason(answer));
    }
    if (outcome.status == Status::unknown) probe_.outcome_unknown();
    entry.dues.push_back(std::move(due));
  }
}

void RedisLogStore::on_read(Call& call, Answer& answer) {
  Entry& entry = *call.entry;
  const Call::Asker asker = call.askers.front();
  Due due{.peer = asker.peer, .page_id = asker.id, .stamp = entry.follower.heads_asked()};
  const auto standing = answer.ok() ? redis_store::standing_of(answer.reply) : std::nullopt;
  if (standing) {
    due.shows = standing->head.position();
    entry.seen = standing->head;
    due.page = std::make_unique<redis::Reply>(std::move(answer.reply));
    entry.dues.push_back(std::move(due));
  } else if (asker.peer != kNobody) {
    sink_.on_page(asker.peer, bus::failed_page(asker.id, unavailable(answer)));
  }
}

void RedisLogStore::on_question(Call& call, Answer& answer) {
  using What = redis_store::LogFollower::Question::What;
  Entry& entry = *call.entry;
  Out out(*this, entry);
  const std::uint32_t number = call.question.number;
  if (call.question.what == What::page) {
    std::vector<PublicationView> publications;
    const auto page = answer.ok() ? redis_store::page_of(answer.reply, publications) : std::nullopt;
    if (page) return entry.follower.answered(number, *page, out);
  } else {
    const auto standing = answer.ok() ? redis_store::standing_of(answer.reply) : std::nullopt;
    if (standing) return entry.follower.answered(number, *standing, out);
  }
  entry.follower.failed(number);
  entry.asked_later = true;
}

void RedisLogStore::on_beat() {
  if (presence_) presence_->beat(latest_);
  bool waits = false;
  for (Entry& entry : entries_) {
    if (entry.asked_later) {
      entry.asked_later = false;
      mark(entry);
    }
    if (!entry.heads_due.empty() && ++entry.beats >= kWatchBeats) {
      refuse_heads(entry, "Redis can't be asked where the log stands");
    }
    waits = waits || !entry.dues.empty() || !entry.heads_due.empty();
    if (entry.dues.empty()) continue;
    for (Due& due : entry.dues)
      ++due.beats;
    if (entry.dues.front().beats == kLateBeats) entry.follower.want_head();
    mark(entry);
  }
  waits_ = waits;
}

bool RedisLogStore::ready(const Entry& entry, const Due& due) const {
  const auto& follower = entry.follower;
  if (!due.shows || entry.watched_as == kUnwatched || !follower.told()) return true;
  if (follower.covers(due.shows->epoch, due.shows->offset)) return true;
  return due.beats >= kPatientBeats || (follower.following() && due.stamp < follower.settled());
}

/// Tells what no longer has to wait, in order.
void RedisLogStore::settle(Entry& entry) {
  tell_heads(entry);
  while (!entry.dues.empty() && ready(entry, entry.dues.front())) {
    Due due = std::move(entry.dues.front());
    entry.dues.pop_front();
    tell(entry, due);
  }
  const bool waits = !entry.dues.empty() || !entry.heads_due.empty() || entry.asked_later;
  waits_ = waits_ || waits;
}

void RedisLogStore::tell(Entry& entry, Due& due) {
  if (due.peer == kNobody) return;
  if (!due.page) return sink_.on_outcome(due.peer, due.outcome);
  auto page = redis_store::page_of(*due.page, page_);
  if (!page) {
    page = bus::Page();
    page->error =
        fail(ErrorCode::storage_unavailable, "what Redis has of " + entry.name + " can't be read");
  }
  page->id = due.page_id;
  sink_.on_page(due.peer, *page);
}

void RedisLogStore::tell_heads(Entry& entry) {
  if (entry.watched_as == kUnwatched || entry.heads_due.empty()) return;
  const auto& follower = entry.follower;
  const bool passes = !entry.options->recoverable && follower.is_subscribed();
  if (!passes && !follower.following()) return;
  // What was asked meanwhile is answered by the next question.
  const auto known = [&](std::uint32_t asked_before) {
    return passes || asked_before < follower.settled();
  };
  const auto told = static_cast<std::size_t>(std::ranges::count_if(entry.heads_due, known));
  std::erase_if(entry.heads_due, known);
  const Head head = follower.told().value_or(Head());
  for (std::size_t i = 0; i < told && entry.watched_as != kUnwatched; ++i)
    sink_.on_head(entry.watched_as, head);
}

void RedisLogStore::refuse_heads(Entry& entry, const std::string& why) {
  const std::string trouble = thread_.trouble();
  const Error error = fail(ErrorCode::storage_unavailable, trouble.empty() ? why : trouble);
  const auto owed = std::exchange(entry.heads_due, {});
  for (std::size_t i = 0; i < owed.size() && entry.watched_as != kUnwatched; ++i)
    sink_.on_head(entry.watched_as, error);
}

}  // namespace peal::broker
