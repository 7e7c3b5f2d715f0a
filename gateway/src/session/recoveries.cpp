#include "session/recoveries.hpp"

#include <algorithm>
#include <utility>

namespace peal::gateway {
namespace {

/// A session that has so much to send gets its next page when that is on its way.
constexpr std::size_t kGatheredMax = 64 * 1024;

}  // namespace

std::uint32_t Recoveries::start(const Start& start) {
  const std::uint32_t number = all_.emplace();
  Recovery& recovery = all_.at(number);
  recovery.connection = start.connection;
  recovery.slot = start.slot;
  recovery.channel = start.channel;
  recovery.kind = start.since.kind;
  recovery.at = start.since.position.offset;
  recovery.id = start.id;
  queue_.push_back(ref(number));
  probe_.recovery_count_changed(all_.size());
  return number;
}

void Recoveries::forget(std::uint32_t number) {
  all_.erase(number);
  probe_.recovery_count_changed(all_.size());
}

void Recoveries::enqueue(std::uint32_t number) {
  all_.at(number).state = State::queued;
  queue_.push_back(ref(number));
}

template <class Each>
void Recoveries::each_of(std::uint32_t channel, Each&& each) {
  for (std::uint32_t i = 0; i < all_.limit(); ++i)
    if (all_.used(i) && all_.at(i).channel == channel) each(ref(i));
}

void Recoveries::moved(std::uint32_t channel) {
  std::erase_if(behind_, [&](Ref waiting) {
    const Recovery* recovery = find(waiting);
    if (recovery == nullptr) return true;
    if (recovery->channel != channel) return false;
    enqueue(waiting.index);
    return true;
  });
}

void Recoveries::reset(std::uint32_t channel, const Position& top) {
  each_of(channel, [&](Ref one) {
    Recovery& recovery = all_.at(one.index);
    if (recovery.kind == Since::Kind::position || recovery.answered) return lose(one, top);
    recovery.at = {};  // the oldest kept, or the state, of the new epoch
    if (recovery.state != State::queued) enqueue(one.index);
  });
}

void Recoveries::refuse(std::uint32_t channel, const Error& error) {
  each_of(channel, [&](Ref one) { fail(one, error); });
}

void Recoveries::fail(Ref ref, const Error& error) {
  const Recovery recovery = all_.at(ref.index);
  Connection& connection = connections_.at(recovery.connection);
  host_.fail(connection, recovery.slot,
             recovery.answered ? std::optional<std::uint64_t>() : recovery.id, error);
}

void Recoveries::on_room(Connection& connection) {
  connection.waits_for_room = false;
  for (const Subscription& subscription : connection.subscriptions.all()) {
    if (!subscription.aside()) continue;
    if (all_.at(subscription.recovery()).state == State::blocked) enqueue(subscription.recovery());
  }
}

void Recoveries::on_page(const SharedPageRef& shared, const std::vector<Ref>& waiting) {
  const bus::Page& page = shared->page();
  bool learned = false;
  for (const Ref one : waiting) {
    Recovery* recovery = find(one);
    if (recovery == nullptr || recovery->state != State::reading) continue;
    if (!page.error) {
      // What it shows beyond the feed goes to the members first: then both stand alike.
      if (!std::exchange(learned, true) && recovery->kind != Since::Kind::state)
        host_.learn(recovery->channel, page);
      recovery = find(one);
      if (recovery != nullptr && recovery->state == State::reading) enqueue(one.index);
    } else if (page.error->code == ErrorCode::position_lost) {
      const Position top = host_.top(recovery->channel);
      // Who started anew in this epoch meanwhile has nothing to do with what was asked before.
      if (recovery->fresh && recovery->kind != Since::Kind::position &&
          page.head.epoch == top.epoch)
        enqueue(one.index);
      else
        lose(one, top);
    } else if (!recovery->answered) {
      fail(one, *page.error);
    } else {
      recovery->state = State::behind;
      behind_.push_back(one);
    }
  }
}

void Recoveries::pump() {
  for (; !starved_.empty() && shelf_->has_room(); starved_.pop_front())
    if (const Recovery* recovery = find(starved_.front());
        recovery != nullptr && recovery->state == State::starved)
      enqueue(starved_.front().index);
  std::size_t bytes = 0;
  std::size_t steps = std::min(queue_.size(), kPagesPerTurn);
  for (; steps > 0 && bytes < kBytesPerTurn; --steps) {
    const Ref next = queue_.front();
    queue_.pop_front();
    const Recovery* recovery = find(next);
    if (recovery != nullptr && recovery->state == State::queued) bytes += step(next);
  }
}

std::size_t Recoveries::step(Ref ref) {
  Recovery& recovery = all_.at(ref.index);
  Connection& connection = connections_.at(recovery.connection);
  if (connection.outbox.blocked()) {
    recovery.state = State::blocked;
    connection.waits_for_room = true;
    return 0;
  }
  if (connection.outbox.bytes() > kGatheredMax) {
    queue_.push_back(ref);
    return 0;
  }
  const Position top = host_.top(recovery.channel);
  const bool positioned = recovery.kind == Since::Kind::position || !recovery.fresh;
  if (positioned && recovery.at == top.offset) {
    finish(ref, top);
    return 0;
  }
  if (recovery.answered && recovery.at > top.offset) {
    recovery.state = State::behind;
    behind_.push_back(ref);
    host_.repair(recovery.channel);
    return 0;
  }
  CarriedPage* page = page_for(ref, recovery);
  return page == nullptr ? 0 : give(ref, *page);
}

CarriedPage* Recoveries::page_for(Ref ref, Recovery& recovery) {
  const bool positioned = recovery.kind == Since::Kind::position || !recovery.fresh;
  if (positioned)
    if (CarriedPage* page = host_.tail(recovery.channel).page(recovery.at)) return page;
  PageWish wish{host_.name(recovery.channel), host_.top(recovery.channel).epoch, recovery.at};
  wish.state = recovery.kind == Since::Kind::state;
  wish.start = recovery.kind == Since::Kind::start && recovery.fresh;
  CarriedPage* page = nullptr;
  const PageShelf::Answer answer = shelf_->ask(wish, ref, page);
  if (answer == PageShelf::Answer::coming) recovery.state = State::reading;
  if (answer == PageShelf::Answer::full) {
    recovery.state = State::starved;
    starved_.push_back(ref);
  }
  return page;
}

std::size_t Recoveries::give(Ref ref, CarriedPage& carried) {
  Recovery& recovery = all_.at(ref.index);
  Connection& connection = connections_.at(recovery.connection);
  const bus::Page& page = carried.page();
  const Position top = host_.top(recovery.channel);
  if (page.head.epoch != top.epoch) {  // another epoch began, and the feed will say so
    lose(ref, top);
    return 0;
  }
  recovery.at = page.to;
  recovery.fresh = false;
  enqueue(ref.index);
  const std::size_t encodes = carried.encodes();
  const std::size_t before = connection.outbox.bytes();
  if (!recovery.answered) {
    recovery.answered = true;
    std::optional<bool> recovered;
    if (recovery.kind == Since::Kind::position) recovered = true;
    host_.tell(connection,
               {recovery.channel, recovery.id, {top.epoch, page.to}, recovered, &carried});
  } else {
    host_.send(connection, recovery.channel, carried);
  }
  probe_.encoded(carried.encodes() - encodes);
  probe_.delivered(page.publications.size());
  probe_.page_given();
  const Recovery* still = find(ref);  // sending may have shown that the peer is gone
  if (still != nullptr && still->at == top.offset) finish(ref, top);
  return connection.outbox.bytes() - std::min<std::size_t>(before, connection.outbox.bytes());
}

void Recoveries::finish(Ref ref, const Position& top) {
  Recovery& recovery = all_.at(ref.index);
  Connection& connection = connections_.at(recovery.connection);
  if (!std::exchange(recovery.answered, true)) {
    std::optional<bool> recovered;
    if (recovery.kind == Since::Kind::position) recovered = true;
    host_.tell(connection, {recovery.channel, recovery.id, top, recovered});
  }
  if (const Recovery* still = find(ref)) host_.go_live(connection, still->slot);
}

void Recoveries::lose(Ref ref, const Position& top) {
  Recovery& recovery = all_.at(ref.index);
  Connection& connection = connections_.at(recovery.connection);
  probe_.recovery_lost();
  if (!std::exchange(recovery.answered, true)) {
    std::optional<bool> recovered;
    if (recovery.kind == Since::Kind::position) recovered = false;
    host_.tell(connection, {recovery.channel, recovery.id, top, recovered});
  } else {
    host_.send_reset(connection, recovery.channel, top);
  }
  if (const Recovery* still = find(ref)) host_.go_live(connection, still->slot);
}

}  // namespace peal::gateway
