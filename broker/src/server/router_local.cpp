// Router: what this process itself asks (control, ingest, occupancy), and who is told the answers.
#include <algorithm>
#include <utility>

#include "server/router.hpp"

namespace peal::broker {
namespace {

/// Whoever waits under that number, waits no more; nobody: null.
template <class Done>
Done take(std::unordered_map<std::uint64_t, Done>& waiting, std::uint64_t number) {
  auto found = waiting.extract(number);
  return found ? std::move(found.mapped()) : Done();
}

}  // namespace

void Router::publish(bus::PublishRequest request, LocalOutcome done) {
  if (auto wrong = check(request)) {
    if (done) done(bus::refused_publish(0, std::move(*wrong)));
    return;
  }
  request.id = 0;
  if (done) {
    request.id = next_local_++;
    local_.emplace(request.id, std::move(done));
  }
  if (auto why = why_not(request.channel)) return publish_elsewhere(request, std::move(*why));
  core_.publish(kLocalPeer, request, now_);
  note(request.channel);
}

/// Another broker serves the channel, or nobody.
void Router::publish_elsewhere(const bus::PublishRequest& request, Error why) {
  const auto server = members_.server_of(request.channel);
  if (!server || *server == members_.self() || config_.others == nullptr) {
    if (request.id != 0) published(kLocalPeer, bus::refused_publish(request.id, std::move(why)));
    return;
  }
  LocalOutcome done;
  if (request.id != 0) {
    done = [this, id = request.id](const bus::Published& outcome) {
      bus::Published mine = outcome;
      mine.id = id;
      published(kLocalPeer, mine);
    };
  }
  config_.others->publish(*server, request, std::move(done));
}

void Router::read(bus::ReadRequest request, LocalPage done) {
  request.id = next_local_++;
  request.bytes = std::min(request.bytes, kPageBytesMax);
  local_reads_.emplace(request.id, std::move(done));
  if (auto why = why_not(request.channel))
    return page(kLocalPeer, bus::failed_page(request.id, std::move(*why)));
  core_.read(kLocalPeer, request, now_);
}

void Router::look(bus::PresenceRequest request, LocalPresence done) {
  request.id = next_local_++;
  local_presence_.emplace(request.id, std::move(done));
  if (auto why = why_not(request.channel))
    return presence(kLocalPeer, bus::failed_presence(request.id, std::move(*why)));
  core_.presence(kLocalPeer, request);
}

void Router::ask(const bus::ClusterQuery& query, bus::ClusterDone done) {
  const bus::RequestId id = next_local_++;
  local_queries_.emplace(id, std::move(done));
  queries_.ask(kLocalPeer, id, query, now_);
}

void Router::published(PeerId peer, const bus::Published& outcome) {
  if (BrokerLink* const link = at(peer)) return link->published(outcome);
  if (peer != kLocalPeer) return;
  if (const LocalOutcome done = take(local_, outcome.id)) done(outcome);
}

void Router::page(PeerId peer, const bus::Page& page) {
  if (BrokerLink* const link = at(peer)) return link->page(page);
  if (peer != kLocalPeer) return;
  if (const LocalPage done = take(local_reads_, page.id)) done(page);
}

void Router::presence(PeerId peer, const bus::PresenceAnswer& answer) {
  if (BrokerLink* const link = at(peer)) return link->presence(answer);
  if (peer != kLocalPeer) return;
  if (const LocalPresence done = take(local_presence_, answer.id)) done(answer);
}

void Router::answered(PeerId asker, bus::RequestId id, const bus::ClusterAnswer& answer) {
  if (BrokerLink* const link = at(asker)) return link->cluster_answer(id, answer);
  if (asker != kLocalPeer) return;
  if (const bus::ClusterDone done = take(local_queries_, id)) done(answer);
}

void Router::occupancy(Occupancy what, std::string_view channel) {
  std::string json = occupancy_json(what, channel);
  occupancy_.push_back(members_.alone() ? std::move(json)
                                        : occupancy_of(std::move(json), config_.hello.node));
}

// Not from within the core.
void Router::publish_occupancy() {
  for (const std::string& json : std::exchange(occupancy_, {})) {
    bus::PublishRequest request;
    request.channel = kOccupancyChannel;
    request.publication.payload = json;
    publish(request, {});
  }
}

}  // namespace peal::broker
