#include "server/cluster_queries.hpp"

#include <algorithm>
#include <utility>

#include "peal/proto/bus_wire.hpp"

namespace peal::broker {

void ClusterQueries::linked(PeerId peer, const std::string& node, bool answers,
                            std::uint32_t version) {
  // What speaks an older version does not say whether it is a gateway: it may well be.
  const bool gateway = answers || version < wire::kVersionQueries;
  peers_[peer] = {node, gateway, version};
  if (gateway) lost_.erase(node);
}

void ClusterQueries::left(PeerId peer, bool goodbye, bus::LinkTime now) {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  const Peer gone = std::move(found->second);
  peers_.erase(found);
  asking_.erase(peer);
  for (auto at = open_.begin(); at != open_.end();) {
    Open& open = at->second;
    if (open.asker == peer) {
      at = open_.erase(at);
      continue;
    }
    if (open.waiting.erase(peer) != 0) open.answers.miss(gone.node, "lost its link meanwhile");
    at = open.waiting.empty() ? finish(at) : std::next(at);
  }
  if (!gone.gateway || goodbye) return;
  const bool another = std::ranges::any_of(
      peers_, [&](const auto& entry) { return entry.second.node == gone.node; });
  if (!another) lost_[gone.node] = now;
}

void ClusterQueries::ask(PeerId asker, bus::RequestId id, const bus::ClusterQuery& query,
                         bus::LinkTime now) {
  if (asking_[asker] >= limits_.queries_max) {
    return out_.answered(
        asker, id,
        bus::failed_answer(fail(ErrorCode::overloaded, "more questions than limits.queries_max (" +
                                                           std::to_string(limits_.queries_max) +
                                                           ") are under way")));
  }
  ++asking_[asker];
  forget_long_lost(now);
  const bus::RequestId number = next_++;
  const auto opened =
      open_.emplace(number, Open{asker,
                                 id,
                                 query.within,
                                 now + query.within,
                                 {},
                                 ClusterAnswers(query.limit, limits_.query_bytes_max)});
  ask_all(opened.first->second, number, query, now);
  if (opened.first->second.waiting.empty()) finish(opened.first);
}

void ClusterQueries::ask_all(Open& open, bus::RequestId number, const bus::ClusterQuery& query,
                             bus::LinkTime now) {
  for (const auto& [peer, about] : peers_) {
    if (!about.gateway) continue;
    open.answers.asked(1);
    if (about.version < wire::kVersionQueries) {
      open.answers.miss(about.node, "is too old to be asked");
      continue;
    }
    open.waiting.emplace(peer, about.node);
  }
  for (const auto& [node, since] : lost_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - since);
    open.answers.asked(1);
    open.answers.miss(node, "lost its link " + std::to_string(seconds.count()) + " s ago");
  }
  for (const auto& [peer, node] : open.waiting)
    out_.ask(peer, number, query);
}

void ClusterQueries::answer(PeerId gateway, bus::RequestId id, const bus::ClusterAnswer& answer) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const auto waiting = found->second.waiting.find(gateway);
  if (waiting == found->second.waiting.end()) return;
  found->second.answers.add(waiting->second, answer);
  found->second.waiting.erase(waiting);
  if (found->second.waiting.empty()) finish(found);
}

void ClusterQueries::turn(bus::LinkTime now) {
  for (auto at = open_.begin(); at != open_.end();) {
    at = now >= at->second.deadline ? finish(at) : std::next(at);
  }
}

ClusterQueries::Opened::iterator ClusterQueries::finish(Opened::iterator at) {
  Open done = std::move(at->second);
  const auto next = open_.erase(at);
  for (auto& [peer, node] : done.waiting)
    done.answers.late(std::move(node), done.within);
  if (const auto asking = asking_.find(done.asker);
      asking != asking_.end() && --asking->second == 0) {
    asking_.erase(asking);
  }
  out_.answered(done.asker, done.id, done.answers.take());
  return next;
}

void ClusterQueries::forget_long_lost(bus::LinkTime now) {
  std::erase_if(lost_, [&](const auto& entry) { return now - entry.second > kRemembered; });
}

}  // namespace peal::broker
