// RedisPresence: what comes from Redis, and what is done from time to time.
#include <algorithm>

#include "redis_store/redis_presence.hpp"

namespace peal::broker {
namespace {

using redis::Answer;
using redis_store::Came;
using redis_store::PresenceTold;
using Event = bus::PresenceEvent::What;

/// Beats after which a mark should have come.
constexpr int kLateBeats = 8;
/// What of a dead holder is ended at a time, and partitions that a beat enters again.
constexpr std::size_t kEmptiedAtOnce = 256;
constexpr std::size_t kEnteredAgainPerBeat = 16;
/// Later than any publish that was under way.
constexpr std::chrono::seconds kLookAfter{2};

}  // namespace

void RedisPresence::heard(std::string_view channel, std::string_view message) {
  if (stopped_) return;
  message.remove_prefix(1);
  if (!blocked_.empty()) {
    if (const auto blocked = blocked_.find(std::string(channel)); blocked != blocked_.end()) {
      blocked->second.emplace_back(message);
      return;
    }
  }
  hear(channel, message);
}

void RedisPresence::hear(std::string_view channel, std::string_view message) {
  while (!message.empty()) {
    const auto told = redis_store::next_told(message);
    if (!told) return;
    if (told->what != PresenceTold::What::mark) {
      const bool joins = told->what == PresenceTold::What::join;
      sink_.on_event(channel, joins ? Event::join : Event::leave, told->member);
    } else if (told->core == name_ && !hear_mark(told->ticket)) {
      blocked_[std::string(channel)].emplace_back(message);
      return;
    }
  }
}

/// False: what comes after it waits for the call's answer.
bool RedisPresence::hear_mark(std::uint64_t ticket) {
  const auto found = calls_.find(ticket);
  if (found == calls_.end() || !found->second.waits_for_mark) return true;
  Call& call = found->second;
  call.waits_for_mark = false;
  if (call.what == Call::What::keep) {
    sink_.on_entered(call.channel, call.session);
  } else if (call.answer) {
    tell_page(call, *call.answer);
  } else {
    call.marked = true;
    return false;
  }
  if (call.answer) calls_.erase(found);
  return true;
}

void RedisPresence::unblock(const std::string& channel) {
  auto blocked = blocked_.extract(channel);
  if (!blocked) return;
  auto& messages = blocked.mapped();
  while (!messages.empty()) {
    const std::string message = std::move(messages.front());
    messages.pop_front();
    hear(channel, message);
    const auto again = blocked_.find(channel);
    if (again == blocked_.end()) continue;
    std::ranges::move(messages, std::back_inserter(again->second));
    return;
  }
}

void RedisPresence::subscribed(std::string_view channel) {
  sink_.on_event(channel, Event::changed, {});
}

void RedisPresence::broken(std::string_view channel) {
  if (!blocked_.empty()) blocked_.erase(std::string(channel));
  for (auto at = calls_.begin(); at != calls_.end();) {
    Call& call = at->second;
    const bool waits = call.waits_for_mark && call.channel == channel;
    call.marked = call.marked && call.channel != channel;
    if (waits) call.waits_for_mark = false;
    if (waits && call.what == Call::What::keep) sink_.on_entered(call.channel, call.session);
    const bool done = waits && call.answer;
    if (done && call.what == Call::What::page) tell_page(call, *call.answer);
    at = done ? calls_.erase(at) : std::next(at);
  }
}

bool RedisPresence::answered(Came& came) {
  if ((came.ticket & kTicketBit) == 0) return false;
  const auto found = calls_.find(came.ticket);
  if (found == calls_.end()) return true;
  if (found->second.what == Call::What::page) {
    on_page(found, came.answer);
    return true;
  }
  if (found->second.what == Call::What::keep) {
    on_kept(found, came.answer);
    return true;
  }
  const Call call = std::move(found->second);
  calls_.erase(found);
  switch (call.what) {
    case Call::What::beat:
    case Call::What::sweep:
      on_pulse(call, came.answer);
      break;
    case Call::What::left:
      on_left(call, came.answer);
      break;
    default:
      on_told(call, came.answer);
      break;
  }
  return true;
}

void RedisPresence::on_page(Calls::iterator found, Answer& answer) {
  if (found->second.waits_for_mark && answer.ok()) {
    found->second.answer = std::move(answer);
    return;
  }
  const Call call = std::move(found->second);
  calls_.erase(found);
  tell_page(call, answer);
  if (call.marked) unblock(call.channel);
}

void RedisPresence::tell_page(const Call& call, const Answer& answer) {
  auto page = answer.ok() ? redis_store::presence_of(answer.reply, page_) : std::nullopt;
  if (!page) {
    page = bus::PresenceAnswer();
    page->error = fail(ErrorCode::storage_unavailable,
                       answer.error.empty() ? "Redis answered with something else" : answer.error);
    at(call.partition).quiet = true;  // who asked looks again when Redis answers
  }
  page->id = call.id;
  if (call.peer != kNobody) sink_.on_answer(call.peer, *page);
}

/// Maybe it was not done: what Redis has of this core is said once more.
void RedisPresence::doubt(const Call& call) {
  Partition& partition = at(call.partition);
  if (call.life == partition.life) partition.doubtful = true;
}

void RedisPresence::on_kept(Calls::iterator found, Answer& answer) {
  if (found->second.waits_for_mark && answer.ok()) {
    found->second.answer = std::move(answer);
    return;
  }
  if (!answer.ok()) doubt(found->second);
  calls_.erase(found);
}

void RedisPresence::on_told(const Call& call, const Answer& answer) {
  if (!answer.ok()) {
    if (call.what == Call::What::occupancy) doubt(call);
    return;
  }
  const bool occupied = answer.reply.text == "occupied";
  if (!occupied && answer.reply.text != "vacated") return;
  const Occupancy what = occupied ? Occupancy::occupied : Occupancy::vacated;
  if (call.what != Call::What::look || call.told != what) tell_occupancy(what, call.channel);
}

/// Two processes may tell of one channel at once, in the wrong order: each looks again.
void RedisPresence::tell_occupancy(Occupancy what, const std::string& channel) {
  sink_.on_occupancy(what, channel);
  told_.insert_or_assign(channel, Told{what, latest_});
}

void RedisPresence::look_at_told() {
  for (auto at = told_.begin(); at != told_.end();) {
    const auto& [channel, told] = *at;
    if (latest_ - told.since < kLookAfter) {
      ++at;
      continue;
    }
    const std::size_t number = thread_.keys().partition_of(channel);
    Call call{.what = Call::What::look, .partition = number};
    call.channel = channel;
    call.told = told.what;
    send(std::move(call), frame(number, {}, channel, "occupied"));
    at = told_.erase(at);
  }
}

void RedisPresence::on_pulse(const Call& call, const Answer& answer) {
  const auto pulse = answer.ok() ? redis_store::pulse_of(answer.reply) : std::nullopt;
  if (call.what == Call::What::beat) {
    Partition& partition = at(call.partition);
    partition.beating = false;
    if (!pulse) return;
    if (call.life == partition.life && pulse->held != call.expected) partition.doubtful = true;
    const bool was_quiet = std::exchange(partition.quiet, pulse->quiet || partition.doubtful);
    if (was_quiet && !partition.quiet) tell_changed(call.partition);
  }
  if (!pulse) return;
  for (const std::string& dead : pulse->dead)
    if (emptying_.insert(dead).second) empty(dead, call.partition);
}

void RedisPresence::empty(const std::string& dead, std::size_t partition) {
  auto args = frame(partition, dead, {}, "left");
  args.push_back(std::to_string(kEmptiedAtOnce));
  Call call{.what = Call::What::left, .partition = partition};
  call.dead = dead;
  send(std::move(call), std::move(args));
}

void RedisPresence::on_left(const Call& call, const Answer& answer) {
  if (!answer.ok() || !answer.reply.is_array() || answer.reply.elements.empty()) {
    emptying_.erase(call.dead);
    return;
  }
  for (const redis::Reply& element : answer.reply.elements) {
    const auto held = redis_store::held_of(element.text);
    if (!held) continue;
    auto args = frame(call.partition, call.dead, held->channel, held->watch ? "vacate" : "leave");
    if (!held->watch) args.emplace_back(held->session);
    args.emplace_back("1");
    Call ended{.what = Call::What::emptied, .partition = call.partition};
    ended.channel = held->channel;
    send(std::move(ended), std::move(args));
  }
  empty(call.dead, call.partition);
}

void RedisPresence::beat(TimePoint now) {
  latest_ = now;
  if (stopped_) return;
  give_up_marks();
  if (!thread_.trouble().empty()) return;
  enter_again();
  if (now >= next_beat_) {
    next_beat_ = now + lease_ / 4;
    beat_partitions();
  }
  if (sweeps_) sweep();
  look_at_told();
  if (now >= next_renewal_) {
    next_renewal_ = now + keep_ / 4 / static_cast<int>(thread_.keys().partitions());
    renew();
  }
}

void RedisPresence::give_up_marks() {
  std::vector<std::string> late;
  for (auto& [ticket, call] : calls_)
    if (call.waits_for_mark && call.answer && ++call.beats >= kLateBeats)
      late.push_back(call.channel);
  for (const std::string& channel : late) {
    broken(channel);
    subscribed(channel);
  }
}

void RedisPresence::beat_partitions() {
  for (auto& [number, partition] : partitions_) {
    if (partition.beating || partition.held == 0) continue;
    partition.beating = true;
    Call call{.what = Call::What::beat, .partition = number, .life = partition.life};
    call.expected = partition.held;
    send(std::move(call), frame(number, partition.holder, {}, "beat"));
  }
}

void RedisPresence::sweep() {
  // All of them twice a lease.
  const std::size_t partitions = thread_.keys().partitions();
  const auto beats = static_cast<std::size_t>(lease_ / redis_store::RedisThread::kBeat / 2);
  const std::size_t share = (partitions + beats - 1) / beats;
  for (std::size_t i = 0; i < share; ++i) {
    swept_ = (swept_ + 1) % partitions;
    send({.what = Call::What::sweep, .partition = swept_}, frame(swept_, {}, {}, "beat"));
  }
}

void RedisPresence::enter_again() {
  std::unordered_set<std::size_t> again;
  for (auto& [number, partition] : partitions_) {
    if (!partition.doubtful || partition.next_try > latest_) continue;
    if (again.size() == kEnteredAgainPerBeat) break;
    again.insert(number);
    partition.next_try = latest_ + lease_ / 4;
    partition.doubtful = false;
    partition.quiet = true;
    send({.what = Call::What::emptied, .partition = number},
         frame(number, partition.holder, {}, "end"));
    partition.holder = redis_store::name_of_number(random_());
    ++partition.life;
    hold(partition, -partition.held);
  }
  if (again.empty()) return;
  sink_.each_of_ours([&](std::string_view channel, const bus::Member* member) {
    std::size_t number = 0;
    Partition& partition = partition_of(channel, number);
    if (!again.contains(number)) return;
    hold(partition, 1);
    if (member == nullptr) return send_watch(channel);
    sink_.on_entered(channel, member->session);
    send_member(channel, *member, false, true);
  });
}

void RedisPresence::renew() {
  renewed_ = (renewed_ + 1) % thread_.keys().partitions();
  std::string last;
  sink_.each_of_ours([&](std::string_view channel, const bus::Member*) {
    if (channel == last || thread_.keys().partition_of(channel) != renewed_) return;
    last = channel;
    send({.what = Call::What::emptied, .partition = renewed_},
         frame(renewed_, {}, channel, "renew"));
  });
}

void RedisPresence::tell_changed(std::size_t partition) {
  std::string last;
  sink_.each_of_ours([&](std::string_view channel, const bus::Member* member) {
    if (member == nullptr || channel == last) return;
    if (thread_.keys().partition_of(channel) != partition) return;
    last = channel;
    sink_.on_event(channel, Event::changed, {});
  });
}

}  // namespace peal::broker
