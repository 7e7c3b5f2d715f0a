#include "server/router.hpp"

#include <algorithm>
#include <utility>

namespace peal::broker {
namespace {

using wire::LinkClass;

constexpr std::chrono::seconds kTick{1};
constexpr std::size_t kReadsWaitingMax = 1000;
constexpr std::chrono::seconds kComplainEvery{10};
constexpr std::size_t kComplaintsMax = 100;

}  // namespace

Router::Router(RouterConfig config, OptionsOf options_of, Transport& out, EpochSource epochs,
               RouterProbe& probe, runtime::Logger logger)
    : config_(std::move(config)),
      out_(out),
      probe_(probe),
      logger_(std::move(logger)),
      epochs_(std::move(epochs)),
      core_(*this, std::move(options_of), config_.limits, epochs_, config_.store),
      queries_(config_.limits, *this),
      members_(config_.members, {}),
      heard_stood_in_(members_.size()),
      peers_(1, nullptr) {}

Router::~Router() = default;

void Router::begin_turn(bus::LinkTime now) {
  const auto stood_still = now - std::exchange(now_, now);
  if (!std::exchange(begun_, true)) {
    core_.start_quiet(now);
    members_.begin_again(now);
  } else if (!members_.alone() && stood_still > config_.link.dead_after) {
    // Others may have served its channels meanwhile.
    members_.begin_again(now);
    core_.end_epochs([](std::string_view) { return true; }, now);
  }
  for (const auto& [key, link] : links_)
    link->link().on_turn(now);
  end_links();
}

void Router::refuse(std::string_view key, const Error& why) {
  wire::Writer writer;
  writer.refusal(why);
  wire::Message message = writer.close({});
  out_.send(LinkKey(key), message);
}

void Router::on_garbage(std::string_view key) {
  probe_.garbage_received();
  const Error why = fail(ErrorCode::command_invalid, "a message of the bus has two frames");
  const auto found = links_.find(LinkKey(key));
  if (found == links_.end()) return refuse(key, why);
  found->second->link().on_garbage(why);
}

void Router::on_message(std::string_view key, std::string_view header, std::string_view body) {
  probe_.message_received(header.size() + body.size());
  const auto found = links_.find(LinkKey(key));
  BrokerLink* link = found == links_.end() ? nullptr : found->second.get();
  if (link != nullptr && link->link().state() == bus::PeerLink::State::ended) return;
  if (const auto read = reader_.read(header, body); !read) {
    probe_.garbage_received();
    if (link == nullptr) return refuse(key, read.error());
    return link->link().on_garbage(read.error());
  }
  if (link == nullptr) {
    if (!reader_.hello()) {
      probe_.stranger_heard();
      return refuse(
          key, fail(ErrorCode::hello_required, config_.hello.node + " does not know this link"));
    }
    auto made = std::make_unique<BrokerLink>(LinkKey(key), new_peer(), config_.hello, config_.link,
                                             config_.limits.batch_bytes_max, out_, now_);
    link = made.get();
    peers_[link->peer()] = link;
    links_.emplace(link->key(), std::move(made));
    const wire::Hello& hello = *reader_.hello();
    link->link().stand(standing(hello.broker ? members_.find(hello.node) : std::nullopt));
    if (const auto wrong = impostor(hello)) link->link().on_garbage(*wrong);
  }
  const auto verdict = link->link().on_message({reader_.stamp(), reader_.hello(), reader_.refusal(),
                                                reader_.numbered(), reader_.has_operations()},
                                               now_);
  if (verdict.linked_now) welcome(*link);
  if (verdict.missing != 0) {
    // Publishes are lost, and whoever asked would wait for ever: end it, so that they become
    // unknown.
    probe_.missed(verdict.missing);
    return link->link().on_garbage(fail(ErrorCode::internal_error, "a gap in link numbers"));
  }
  if (!verdict.take) return;
  if (!link->stash.empty() || !link->link().has_credit(LinkClass::control)) {
    link->stash.push_back({std::string(header), std::string(body)});
  } else {
    carry_out(*link);
  }
}

/// What the reader holds now.
void Router::carry_out(BrokerLink& link) {
  current_ = &link;
  const auto bytes = reader_.stamp().bytes;
  reader_.walk(*this);
  link.link().consumed(bytes);
  current_ = nullptr;
}

void Router::carry_out_waiting(BrokerLink& link) {
  while (!link.stash.empty() && link.link().has_credit(LinkClass::control)) {
    const BrokerLink::Stashed message = std::move(link.stash.front());
    link.stash.pop_front();
    if (reader_.read(message.header, message.body)) carry_out(link);
  }
  while (!link.reads.empty() && link.link().has_credit(LinkClass::history)) {
    BrokerLink::WaitingRead waiting = std::move(link.reads.front());
    link.reads.pop_front();
    waiting.request.channel = waiting.channel;
    core_.read(link.peer(), waiting.request, now_);
  }
}

void Router::welcome(BrokerLink& link) {
  link.sender().hello(now_);
  probe_.linked();
  const wire::Hello& peer = link.link().peer();
  core_.adopt_peer(link.peer(), peer.incarnation, now_);
  queries_.linked(link.peer(), peer.node, peer.answers, link.link().version());
  logger_.info("linked with a peer", {{"peer", peer.node}, {"version", link.link().version()}});
  if (peer.message_bytes_max < config_.limits.message_bytes_max) {
    logger_.warn("a peer takes smaller messages than this broker: it will miss the larger ones",
                 {{"peer", peer.node}, {"message_bytes_max", peer.message_bytes_max}});
  }
  for (const auto& [key, other] : links_) {
    if (other.get() == &link || !other->link().linked()) continue;
    const wire::Hello& theirs = other->link().peer();
    if (theirs.node != peer.node) continue;
    if (theirs.incarnation == peer.incarnation) {
      other->link().end(fail(ErrorCode::broker_unavailable, "the same process has a newer link"));
    } else {
      logger_.warn("two peers have one name", {{"peer", peer.node}});
    }
  }
}

void Router::end_turn() {
  busy_ = core_.expire(now_);
  look_at_members();
  queries_.turn(now_);
  publish_occupancy();
  for (const auto& [key, link] : links_) {
    if (link->link().state() != bus::PeerLink::State::ended) carry_out_waiting(*link);
  }
  core_.turn(now_);
  for (const auto& [key, link] : links_) {
    if (link->link().state() == bus::PeerLink::State::ended) continue;
    link->announce_behind();
    link->sender().flush(now_);
    if (link->sender().gone()) {
      link->link().end(fail(ErrorCode::broker_unavailable, "the connection is gone"));
    }
  }
  end_links();
  std::erase_if(dropping_, [&](PeerId peer) {
    if (core_.drop_peer(peer)) return false;
    free_peers_.push_back(peer);
    return true;
  });
  if (now_ < next_tick_) return;
  core_.tick(now_);
  next_tick_ = now_ + kTick;
}

void Router::end_links() {
  linked_ = 0;
  for (auto i = links_.begin(); i != links_.end();) {
    BrokerLink& link = *i->second;
    if (link.link().state() != bus::PeerLink::State::ended) {
      linked_ += link.link().linked() ? 1 : 0;
      ++i;
      continue;
    }
    const Error why = link.link().why().value_or(Error{});
    if (link.link().should_refuse()) link.sender().refuse(why, now_);
    link.link().version() != 0 ? probe_.link_ended() : probe_.hello_refused();
    const wire::Hello& peer = link.link().peer();
    if (link.link().version() != 0 || worth_telling(why)) {
      logger_.warn("the link with a peer is over",
                   {{"peer", peer.node}, {"code", info(why.code).name}, {"reason", why.message}});
    }
    const bool meant = peer.wanted.empty() || peer.wanted == config_.hello.node;
    if (why.code == ErrorCode::members_mismatch && meant && peer.broker &&
        members_.find(peer.node)) {
      members_.quarrel(why.message, now_);
    }
    peers_[link.peer()] = nullptr;
    queries_.left(link.peer(), why.code == ErrorCode::draining, now_);
    dropping_.push_back(link.peer());
    i = links_.erase(i);
  }
  probe_.links_are(linked_);
}

/// Who is refused tries again: the same reason is told now and then.
bool Router::worth_telling(const Error& why) {
  if (complaints_.size() >= kComplaintsMax) complaints_.clear();
  auto& last = complaints_[why.message];
  if (last != bus::LinkTime{} && now_ - last < kComplainEvery) return false;
  last = now_;
  return true;
}

PeerId Router::new_peer() {
  if (!free_peers_.empty()) {
    const PeerId peer = free_peers_.back();
    free_peers_.pop_back();
    return peer;
  }
  peers_.push_back(nullptr);
  return static_cast<PeerId>(peers_.size() - 1);
}

void Router::close(const Error& why) {
  core_.stop();
  for (const auto& [key, link] : links_) {
    link->sender().flush(now_);
    link->sender().refuse(why, now_);
  }
}

void Router::each_link(const std::function<void(const LinkInfo&)>& each) const {
  for (const auto& [key, link] : links_) {
    if (!link->link().linked()) continue;
    each({link->link().peer(), link->link().version(), link->link().on_the_way(LinkClass::live),
          link->link().peer().credit_bytes, link->dropped});
  }
}

/// The name and the payload's size are the core's to check.
std::optional<Error> Router::check(const bus::PublishRequest& request) {
  const PublicationView& p = request.publication;
  if (!config_.check_json || !p.type.empty() || p.payload.size() > config_.limits.message_bytes_max)
    return std::nullopt;
  if (p.kind == Kind::deletion && p.payload.empty()) return std::nullopt;
  const auto valid = json_.validate(p.payload, config_.limits.json_depth_max);
  if (valid) return std::nullopt;
  probe_.message_invalid();
  return valid.error();
}

void Router::on_watch(bus::Alias alias, std::string_view channel,
                      const std::optional<Epoch>& seen) {
  if (auto why = why_not(channel))
    return current_->head(bus::refused_watch(alias, std::move(*why)));
  core_.watch(current_->peer(), alias, channel, now_, seen);
  note(channel);
}

void Router::on_unwatch(bus::Alias alias) {
  core_.unwatch(current_->peer(), alias, now_);
}

void Router::on_publish(const bus::PublishRequest& request) {
  if (auto wrong = check(request)) {
    if (request.id != 0) current_->published(bus::refused_publish(request.id, std::move(*wrong)));
    return;
  }
  if (auto why = why_not(request.channel)) {
    if (request.id != 0) current_->published(bus::refused_publish(request.id, std::move(*why)));
    return;
  }
  core_.publish(current_->peer(), request, now_);
  note(request.channel);
}

void Router::on_read(const bus::ReadRequest& request) {
  if (auto why = why_not(request.channel))
    return current_->page(bus::failed_page(request.id, std::move(*why)));
  bus::ReadRequest bounded = request;
  bounded.bytes = std::min(bounded.bytes, kPageBytesMax);
  if (current_->reads.empty() && current_->link().has_credit(LinkClass::history)) {
    return core_.read(current_->peer(), bounded, now_);
  }
  if (current_->reads.size() < kReadsWaitingMax) {
    current_->reads.push_back({bounded, std::string(request.channel)});
    return;
  }
  current_->page(bus::failed_page(request.id,
                                  fail(ErrorCode::overloaded, "too many reads wait on this link")));
}

void Router::on_enter(bus::Alias alias, const bus::Member& member) {
  const bool wrong =
      !member.data.empty() &&
      (member.data.size() > config_.limits.presence_data_bytes_max ||
       (config_.check_json && !json_.validate(member.data, config_.limits.json_depth_max)));
  if (!wrong) return core_.enter(current_->peer(), alias, member);
  probe_.message_invalid();
  current_->presence_event({alias, bus::PresenceEvent::What::refused, {member.session, {}, {}}});
}

void Router::on_leave(bus::Alias alias, std::string_view session) {
  core_.leave(current_->peer(), alias, session);
}

void Router::on_presence(const bus::PresenceRequest& request) {
  if (auto why = why_not(request.channel))
    return current_->presence(bus::failed_presence(request.id, std::move(*why)));
  core_.presence(current_->peer(), request);
}

void Router::on_cluster_query(bus::RequestId id, const bus::ClusterQuery& query) {
  queries_.ask(current_->peer(), id, query, now_);
}

void Router::on_cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer) {
  queries_.answer(current_->peer(), id, answer);
}

void Router::ask(PeerId gateway, bus::RequestId id, const bus::ClusterQuery& query) {
  if (BrokerLink* const link = at(gateway)) link->cluster_query(id, query);
}

void Router::deliver(std::span<const Target> targets, const Epoch& epoch,
                     const PublicationView& publication) {
  ++fan_out_;
  for (const Target& target : targets) {
    BrokerLink* const link = at(target.peer);
    if (link == nullptr) continue;
    switch (link->deliver(fan_out_, target.alias, epoch, publication)) {
      case BrokerLink::Delivered::sent:
        probe_.delivered();
        break;
      case BrokerLink::Delivered::dropped:
        probe_.dropped();
        break;
      case BrokerLink::Delivered::replaced:
        probe_.replaced_by_head();
        break;
    }
  }
}

void Router::head(PeerId peer, const bus::HeadNotice& notice) {
  if (BrokerLink* const link = at(peer)) link->head(notice);
}

void Router::presence_event(PeerId peer, const bus::PresenceEvent& event) {
  if (BrokerLink* const link = at(peer)) link->presence_event(event);
}

}  // namespace peal::broker
