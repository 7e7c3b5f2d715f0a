// The client's commands: straight to the one master, or by a Cluster's lanes.
#include <boost/asio/post.hpp>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/client_impl.hpp"
#include "redis/verdict.hpp"

namespace peal::redis {
namespace {

constexpr std::chrono::milliseconds kAgain{100};

std::size_t size_of(const Command& command) {
  std::size_t bytes = 0;
  for (const std::string& arg : command.args)
    bytes += arg.size();
  return bytes;
}

}  // namespace

Link* Client::Impl::home(std::uint16_t slot) const {
  return homes[cluster ? slot : 0];
}

Link* Client::Impl::any_up() const {
  for (const auto& [key, link] : links) {
    if (link->up()) return link.get();
  }
  return nullptr;
}

Link* Client::Impl::link_at(std::string_view endpoint) const {
  for (const auto& [key, link] : links) {
    if (link->node().address == endpoint) return link.get();
  }
  return nullptr;
}

std::string Client::Impl::why_not(const Link* link) const {
  if (!running) return "the Redis client has stopped";
  return "not connected to Redis" + (link != nullptr ? " at " + link->node().address : "") + ": " +
         last_reason;
}

void Client::Impl::command(Command command, Done done) {
  const std::size_t bytes = size_of(command);
  if (probe.unanswered_bytes() + bytes > config.unanswered_bytes_max) {
    probe.asked(bytes);
    return refuse_later(std::move(done), bytes,
                        "too much is unanswered (redis.unanswered_bytes_max)");
  }
  probe.asked(bytes);
  if (cluster && !command.key.empty()) {
    return send_by_lane(std::move(command), std::move(done), bytes);
  }
  Link* link = cluster ? any_up() : home(0);
  if (!running || link == nullptr || !link->up()) {
    return refuse_later(std::move(done), bytes, why_not(link));
  }
  link->send(
      command, false,
      [self = shared_from_this(), done = std::move(done), bytes, id = link->id()](Answer answer) {
        // Who was master is one no more; ask anew.
        if (!self->cluster && answer.reply.error_code() == "READONLY") {
          for (const auto& [key, each] : self->links) {
            if (each->id() == id) each->close("it has become a replica");
          }
        }
        self->finish(done, bytes, std::move(answer));
      });
}

void Client::Impl::send_by_lane(Command command, Done done, std::size_t bytes) {
  const std::uint16_t slot = slot_of(command.key);
  const Link* link = home(slot);
  if (!running || link == nullptr || !link->up()) {
    return refuse_later(std::move(done), bytes, why_not(link));
  }
  const Lanes::Id id = next_item++;
  items.emplace(id, Item{.command = std::move(command),
                         .done = std::move(done),
                         .bytes = bytes,
                         .slot = slot,
                         .late_at = Clock::now() + config.command_timeout});
  lanes.add(id, slot);
}

/// Called by the lanes, which must not be called back at once.
void Client::Impl::send_item(Lanes::Id id, std::uint16_t slot, const Route& route) {
  Link* link = route.endpoint.empty() ? home(slot) : link_at(route.endpoint);
  if (link == nullptr || !link->up()) {
    boost::asio::post(context, [self = shared_from_this(), id, slot, known = link != nullptr] {
      if (!self->items.contains(id)) return;
      if (!known && self->running) {  // a node that is new here: the topology will tell
        self->discover();
        return self->lanes.came_back(id, slot, {}, true);
      }
      self->end_item(id, {.outcome = Outcome::refused, .error = self->why_not(self->home(slot))});
    });
    return;
  }
  link->send(items.at(id).command, route.asking,
             [self = shared_from_this(), id, from = link->id()](Answer answer) {
               self->on_answer(id, std::move(answer), from);
             });
}

void Client::Impl::on_answer(Lanes::Id id, Answer answer, Link::Id link) {
  const auto found_item = items.find(id);
  if (found_item == items.end()) return;
  if (answer.outcome == Outcome::refused && answer.reply.is_error() && running &&
      Clock::now() < found_item->second.late_at &&
      send_elsewhere(id, found_item->second, answer, link)) {
    return probe.redirected();
  }
  end_item(id, std::move(answer));
}

bool Client::Impl::send_elsewhere(Lanes::Id id, Item& item, const Answer& answer, Link::Id from) {
  std::string host;
  for (const auto& [key, link] : links) {
    if (link->id() == from) host = link->endpoint().address.host;
  }
  const Verdict verdict = verdict_of(answer.reply, host);
  switch (verdict.kind) {
    case Verdict::Kind::moved: {
      Link* to = link_at(verdict.endpoint);
      discover();
      if (to != nullptr) homes[verdict.slot] = to;
      lanes.came_back(id, item.slot, {}, to == nullptr || !to->up());
      return true;
    }
    case Verdict::Kind::ask: {
      const Link* to = link_at(verdict.endpoint);
      const bool reachable = to != nullptr && to->up();
      if (!reachable) discover();
      lanes.came_back(id, item.slot, reachable ? Route{verdict.endpoint, true} : Route{},
                      !reachable);
      return true;
    }
    case Verdict::Kind::again:
      discover();
      lanes.came_back(id, item.slot, {}, true);
      return true;
    default:
      return false;
  }
}

void Client::Impl::pause_lane(std::uint16_t slot) {
  later(jittered(kAgain), [this, slot] {
    expire_held();
    lanes.resume(slot);
  });
}

void Client::Impl::expire_held() {
  const auto now = Clock::now();
  const auto expired =
      lanes.take_expired([&](Lanes::Id id) { return items.at(id).late_at <= now; });
  for (const Lanes::Id id : expired) {
    Item item = std::move(items.at(id));
    items.erase(id);
    finish(item.done, item.bytes,
           {.outcome = Outcome::refused,
            .error = "no node of the Cluster took the command within redis.command_timeout"});
  }
}

void Client::Impl::end_item(Lanes::Id id, Answer answer) {
  Item item = std::move(items.at(id));
  items.erase(id);
  finish(item.done, item.bytes, std::move(answer));
  lanes.ended(id, item.slot);
}

void Client::Impl::finish(const Done& done, std::size_t bytes, Answer answer) {
  probe.ended(answer.outcome, bytes);
  if (owner != nullptr) done(std::move(answer));
}

void Client::Impl::refuse_later(Done done, std::size_t bytes, std::string error) {
  boost::asio::post(context, [self = shared_from_this(), done = std::move(done), bytes,
                              error = std::move(error)]() mutable {
    self->finish(done, bytes, {.outcome = Outcome::refused, .error = std::move(error)});
  });
}

}  // namespace peal::redis
