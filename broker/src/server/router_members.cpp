// Router: what it does as one broker of several.
#include <algorithm>
#include <utility>

#include "server/router.hpp"

namespace peal::broker {

bus::Standing Router::standing(std::optional<std::size_t> member) const {
  bus::Standing mine;
  if (members_.alone()) return mine;
  mine.not_ready = member ? !members_.comes() : !members_.ready();
  mine.view = view_;
  if (member) mine.stood_in = members_.mark_for(*member);
  return mine;
}

/// Which broker tells it, and of whose channels: of several each tells of its own.
std::string Router::occupancy_of(std::string json, std::string_view broker) {
  json.back() = ',';
  append_json_string(json += R"("broker":)", broker);
  return json += '}';
}

/// Somebody who says to be a broker of this cluster, and can't be.
std::optional<Error> Router::impostor(const wire::Hello& hello) const {
  if (!hello.broker || members_.alone()) return std::nullopt;
  if (!members_.find(hello.node)) {
    return fail(ErrorCode::members_mismatch,
                hello.node + " is not among the brokers that " + config_.hello.node + " knows");
  }
  for (const auto& [key, other] : links_) {
    if (!other->link().linked()) continue;
    const wire::Hello& theirs = other->link().peer();
    if (theirs.broker && theirs.node == hello.node && theirs.incarnation != hello.incarnation)
      return fail(ErrorCode::members_mismatch, "two brokers are named " + hello.node);
  }
  return std::nullopt;
}

void Router::look_at_members() {
  if (members_.alone()) return;
  std::vector<std::optional<bus::Standing>> seen(members_.size());
  const auto look = [&](std::size_t member, const bus::Standing& standing) {
    // Of two links one may be of the life before, then it ends soon; or a little behind.
    const std::uint32_t view = seen[member] ? seen[member]->view : 0;
    if (!seen[member] || !standing.not_ready) seen[member] = standing;
    seen[member]->view = std::max(view, standing.view);
    if (standing.stood_in) hear_stood_in(member, *standing.stood_in);
  };
  for (const auto& [key, link] : links_) {
    if (!link->link().linked() || !link->link().peer().broker) continue;
    if (const auto member = members_.find(link->link().peer().node))
      look(*member, link->link().standing());
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == members_.self()) continue;
    if (const auto standing = config_.others->standing_of(i)) look(i, *standing);
    members_.see(i, seen[i].has_value(), seen[i] && !seen[i]->not_ready,
                 seen[i] ? seen[i]->view : 0);
  }
  if (const auto why = config_.others->quarrel()) members_.quarrel(*why, now_);
  const auto changes = members_.turn(now_);
  if (changes.any()) on_changes(changes);
  for (std::size_t i = 0; i < members_.size(); ++i)
    if (i != members_.self()) config_.others->stand(i, standing(i));
  for (const auto& [key, link] : links_) {
    if (!link->link().linked()) continue;
    const wire::Hello& peer = link->link().peer();
    link->link().stand(standing(peer.broker ? members_.find(peer.node) : std::nullopt));
  }
}

void Router::on_changes(const Membership::Changes& changes) {
  ++view_;
  // Who is where moves between brokers: nothing is told until all have come again.
  core_.start_quiet(now_);
  if (changes.served) {
    if (members_.ready()) {
      logger_.info("serving, as one broker of several");
    } else {
      logger_.warn("not serving", {{"reason", members_.why_not_ready()}});
    }
  }
  for (const std::size_t member : changes.back) {
    logger_.info("another broker serves", {{"broker", members_.members()[member]}});
    // From here on nothing is done in its place.
    if (members_.stood_in_for(member)) members_.hand_back(member, epochs_.next());
  }
  for (const std::size_t member : changes.gone) {
    const std::string& name = members_.members()[member];
    logger_.warn("another broker is gone", {{"broker", name}});
    // What is here of its channels is from the last time that this one stood in.
    core_.end_epochs(
        [&](std::string_view channel) { return members_.comes_first(member, channel); }, now_);
    occupancy_.push_back(occupancy_of(occupancy_json(Occupancy::reset, {}), name));
  }
}

/// Another one has served channels of this one until now. That lacks here, whichever epoch is the
/// higher one: both may have served at a time, each for the gateways that saw it.
void Router::hear_stood_in(std::size_t member, const Epoch& mark) {
  auto& heard = heard_stood_in_[member];
  if (heard && mark <= *heard) return;
  heard = mark;
  core_.end_epochs([&](std::string_view channel) { return !members_.comes_first(member, channel); },
                   now_);
}

/// This broker has served the channel.
void Router::note(std::string_view channel) {
  if (members_.stands_in(channel)) members_.stood_in(channel);
}

}  // namespace peal::broker
