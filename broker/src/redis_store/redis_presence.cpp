#include "redis_store/redis_presence.hpp"

#include <algorithm>

namespace peal::broker {

using redis::Answer;
using redis_store::Asked;
using redis_store::Came;
using redis_store::PresenceTold;
using Event = bus::PresenceEvent::What;

namespace {

/// Below it the pauses between beats (of the client's thread, 250 ms) are no longer small.
constexpr std::chrono::milliseconds kLeaseMin{2000};
/// Redis forgets what nobody has renewed for that long.
constexpr std::chrono::milliseconds kKeep = std::chrono::hours(2);

}  // namespace

RedisPresence::RedisPresence(Seat seat, redis_store::RedisThread& thread, std::vector<Asked>& asked)
    : sink_(seat.sink),
      limits_(seat.limits),
      random_(std::move(seat.random)),
      follows_(std::move(seat.follows)),
      sweeps_(seat.sweeps),
      thread_(thread),
      asked_(asked),
      lease_(std::max(limits_.presence_lease, kLeaseMin)),
      keep_(std::max(kKeep, 4 * lease_)),
      name_(redis_store::name_of_number(random_())) {}

RedisPresence::Partition& RedisPresence::at(std::size_t number) {
  Partition& partition = partitions_[number];
  if (partition.holder.empty()) partition.holder = redis_store::name_of_number(random_());
  return partition;
}

RedisPresence::Partition& RedisPresence::partition_of(std::string_view channel,
                                                      std::size_t& number) {
  number = thread_.keys().partition_of(channel);
  return at(number);
}

void RedisPresence::hold(Partition& partition, std::uint64_t more) {
  partition.held += more;
  held_ += more;
}

std::vector<std::string> RedisPresence::frame(std::size_t partition, std::string_view holder,
                                              std::string_view channel, std::string_view operation,
                                              std::string mark) const {
  return redis_store::call({.keys = thread_.keys(),
                            .partition = partition,
                            .channel = channel,
                            .holder = holder,
                            .lease = lease_,
                            .keep = keep_,
                            .publish_verb = thread_.publish_verb(),
                            .mark = std::move(mark)},
                           operation);
}

std::string RedisPresence::next_mark() const {
  return name_ + std::to_string((tickets_ + 1) | kTicketBit);
}

void RedisPresence::send(Call call, std::vector<std::string> args) {
  if (stopped_) return;
  const std::uint64_t ticket = ++tickets_ | kTicketBit;
  asked_.push_back({.what = Asked::What::presence,
                    .ticket = ticket,
                    .route = thread_.keys().route(call.partition),
                    .args = std::move(args)});
  calls_.emplace(ticket, std::move(call));
}

void RedisPresence::send_member(std::string_view channel, const bus::Member& member, bool mark,
                                bool again) {
  std::size_t number = 0;
  const Partition& partition = partition_of(channel, number);
  Call call{.what = Call::What::keep, .partition = number, .life = partition.life};
  call.channel = channel;
  if (mark && follows_(channel)) {
    call.session = member.session;
    call.waits_for_mark = true;
  }
  auto args = frame(number, partition.holder, channel, "enter",
                    call.waits_for_mark ? next_mark() : std::string());
  redis_store::add_member(args, member, again);
  send(std::move(call), std::move(args));
}

void RedisPresence::enter(std::string_view channel, const bus::Member& member, bool anew,
                          bool mark) {
  std::size_t number = 0;
  Partition& partition = partition_of(channel, number);
  hold(partition, anew ? 1 : 0);
  send_member(channel, member, mark, false);
}

void RedisPresence::leave(std::string_view channel, std::string_view session) {
  std::size_t number = 0;
  Partition& partition = partition_of(channel, number);
  hold(partition, static_cast<std::uint64_t>(-1));
  auto args = frame(number, partition.holder, channel, "leave");
  args.emplace_back(session);
  args.emplace_back("0");
  send({.what = Call::What::keep, .partition = number, .life = partition.life}, std::move(args));
}

void RedisPresence::ask(PeerId peer, const bus::PresenceRequest& request, std::size_t bytes) {
  std::size_t number = 0;
  const Partition& partition = partition_of(request.channel, number);
  Call call{.what = Call::What::page, .partition = number};
  call.channel = request.channel;
  call.peer = peer;
  call.id = request.id;
  call.waits_for_mark = follows_(request.channel);
  auto args = frame(number, partition.holder, request.channel, "page",
                    call.waits_for_mark ? next_mark() : std::string());
  redis_store::add_page(args, request, bytes);
  if (!stopped_) {
    send(std::move(call), std::move(args));
    return;
  }
  tell_page(call, {.outcome = redis::Outcome::refused, .error = "the store is being closed"});
}

void RedisPresence::send_watch(std::string_view channel) {
  std::size_t number = 0;
  const Partition& partition = partition_of(channel, number);
  Call call{.what = Call::What::occupancy, .partition = number, .life = partition.life};
  call.channel = channel;
  send(std::move(call), frame(number, partition.holder, channel, "occupy"));
}

void RedisPresence::occupancy(Occupancy what, std::string_view channel) {
  std::size_t number = 0;
  Partition& partition = partition_of(channel, number);
  hold(partition, static_cast<std::uint64_t>(what == Occupancy::occupied ? 1 : -1));
  if (what == Occupancy::occupied) return send_watch(channel);
  Call call{.what = Call::What::occupancy, .partition = number, .life = partition.life};
  call.channel = channel;
  auto args = frame(number, partition.holder, channel, "vacate");
  args.emplace_back("0");
  send(std::move(call), std::move(args));
}

bool RedisPresence::stop() {
  if (stopped_) return false;
  bool said = false;
  for (auto& [number, partition] : partitions_) {
    if (partition.held == 0) continue;
    said = true;
    send({.what = Call::What::emptied, .partition = number},
         frame(number, partition.holder, {}, "end"));
  }
  stopped_ = true;
  return said;
}

void RedisPresence::drop_peer(PeerId peer) {
  for (auto& [ticket, call] : calls_)
    if (call.what == Call::What::page && call.peer == peer) call.peer = kNobody;
}

}  // namespace peal::broker
