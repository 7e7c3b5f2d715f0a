#include "bus/embedded_port.hpp"

#include <chrono>
#include <random>

#include "peal/proto/bus_refusals.hpp"
#include "peal/proto/channel_name.hpp"

namespace peal::bus {
namespace {

constexpr std::chrono::seconds kTick{1};

broker::EpochSource random_epochs() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  return [engine = std::mt19937_64(seed)]() mutable { return engine(); };
}

}  // namespace

void EmbeddedProbe::collect(runtime::MetricSink& sink) const {
  sink.counter("peal_bus_dropped_total", "Ephemeral publications dropped: the receiver lags",
               dropped_);
  sink.counter("peal_bus_replaced_by_head_total",
               "Recoverable publications that a lagging receiver has to read from the log",
               replaced_);
  sink.counter("peal_bus_overloaded_total", "Publishes refused: the channel's home lags", refused_);
  sink.counter("peal_bus_messages_total", "Messages between shards", messages_);
}

EmbeddedPort::EmbeddedPort(EmbeddedShared& shared, std::uint32_t index, BusSink& sink, Waker& waker,
                           broker::OptionsOf options_of)
    : shared_(shared),
      index_(index),
      sink_(sink),
      waker_(waker),
      core_(*this, std::move(options_of), shared.limits, random_epochs(), store_choice()),
      links_(shared.shards) {}

EmbeddedPort::~EmbeddedPort() = default;

broker::StoreChoice EmbeddedPort::store_choice() {
  return {.make = shared_.make_store,
          .wake = [this] { wake(); },
          .home = [this](std::string_view channel) { return home_of(channel) == index_; }};
}

std::uint32_t EmbeddedPort::home_of(std::string_view channel) const {
  return shared_.shards == 1 ? 0
                             : static_cast<std::uint32_t>(stable_hash(channel) % shared_.shards);
}

TurnCommands& EmbeddedPort::commands_for(std::uint32_t home) {
  return home == index_ ? gathering_ : open(home).commands;
}

EmbeddedPort::Message& EmbeddedPort::open(std::uint32_t shard) {
  Link& link = links_[shard];
  if (link.open != nullptr) return *link.open;
  if (link.idle.empty()) {
    messages_.push_back(std::make_unique<Message>());
    messages_.back()->from = index_;
    link.idle.push_back(messages_.back().get());
  }
  link.open = link.idle.back();
  link.idle.pop_back();
  return *link.open;
}

bool EmbeddedPort::has_room(std::uint32_t shard) {
  const Link& link = links_[shard];
  const std::size_t gathered =
      link.open == nullptr ? 0 : link.open->commands.bytes() + link.open->results.bytes();
  return link.outstanding + gathered < shared_.limits.link_credit_bytes;
}

void EmbeddedPort::watch(Alias alias, std::string_view channel) {
  const std::uint32_t home = home_of(channel);
  if (const auto before = watched_.at(alias.index); before && before->home != home) {
    commands_for(before->home).unwatch(before->alias);
  }
  watched_.add(alias, home);
  commands_for(home).watch(alias, channel);
}

void EmbeddedPort::unwatch(Alias alias) {
  const auto before = watched_.at(alias.index);
  if (!before || before->alias != alias) return;
  watched_.remove(alias);
  commands_for(before->home).unwatch(alias);
}

void EmbeddedPort::publish(const PublishRequest& request) {
  const std::uint32_t home = home_of(request.channel);
  if (home == index_) return gathering_.publish(request);
  if (!has_room(home)) {
    probe_.refused();
    if (request.id != 0) overloaded_.push_back(request.id);
    return;
  }
  if (request.id != 0) links_[home].pending.asked(request.id);
  open(home).commands.publish(request);
}

void EmbeddedPort::read(const ReadRequest& request) {
  commands_for(home_of(request.channel)).read(request);
}

void EmbeddedPort::enter(Alias alias, const Member& member) {
  if (const auto watched = watched_.at(alias.index); watched && watched->alias == alias)
    commands_for(watched->home).enter(alias, member);
}

void EmbeddedPort::leave(Alias alias, std::string_view session) {
  if (const auto watched = watched_.at(alias.index); watched && watched->alias == alias)
    commands_for(watched->home).leave(alias, session);
}

void EmbeddedPort::presence(const PresenceRequest& request) {
  commands_for(home_of(request.channel)).presence(request);
}

bool EmbeddedPort::turn() {
  using Phase = EmbeddedShared::Phase;
  const Phase phase = shared_.phase.load(std::memory_order_acquire);
  if (phase == Phase::attaching || finished_) return false;
  if (phase == Phase::stopped) {
    finish();
    return false;
  }
  if (shared_.shards > 1) reclaim();
  const auto now = std::chrono::steady_clock::now();
  Message* const arrived = inbox_.take();
  for (Message* message = arrived; message != nullptr; message = message->next) {
    message->commands.replay(core_, message->from, now);
  }
  std::swap(gathering_, replaying_);
  replaying_.replay(core_, index_, now);
  if (now >= next_tick_) {
    core_.tick(now);
    next_tick_ = now + kTick;
  }
  core_.turn(now);
  for (const RequestId id : overloaded_) {
    due_.published(
        refused_publish(id, fail(ErrorCode::overloaded, "the channel's shard lags behind")));
  }
  overloaded_.clear();
  if (shared_.shards > 1) post_open();

  if (!announced_) {
    announced_ = true;
    sink_.on_state(shared_.linked_state());
  }
  hand_over(arrived);
  due_.hand_over(sink_, watched_);
  due_.reset();
  give_back(arrived);  // only now: what was due borrowed from it
  replaying_.reset();
  bool more = !gathering_.empty() || !overloaded_.empty() || !inbox_.empty();
  for (const Link& link : links_)
    more = more || link.open != nullptr;
  return more;
}

void EmbeddedPort::reclaim() {
  for (Message* message = spent_.take(); message != nullptr;) {
    Message* const next = message->next;
    const auto shard = message->from;  // the receiver put itself there
    message->from = index_;
    links_[shard].outstanding -= message->bytes;
    links_[shard].idle.push_back(message);
    message = next;
  }
  announce_lagging();
}

void EmbeddedPort::announce_lagging() {
  for (std::uint32_t shard = 0; shard < links_.size(); ++shard) {
    auto& lagging = links_[shard].lagging;
    while (!lagging.empty() && has_room(shard)) {
      open(shard).results.head(lagging.begin()->second);
      lagging.erase(lagging.begin());
    }
  }
}

void EmbeddedPort::post_open() {
  std::size_t posted = 0;
  bool lagging = false;
  for (std::uint32_t shard = 0; shard < links_.size(); ++shard) {
    Link& link = links_[shard];
    lagging = lagging || !link.lagging.empty();
    if (link.open == nullptr) continue;
    Message* const message = std::exchange(link.open, nullptr);
    message->bytes = message->commands.bytes() + message->results.bytes();
    link.outstanding += message->bytes;
    EmbeddedPort& receiver = *shared_.ports[shard];
    if (receiver.inbox_.post(message)) receiver.wake();
    ++posted;
  }
  probe_.messages_posted(posted);
  // Said first, looked at again afterwards: a receiver that gives room back in between sees one of
  // them.
  wants_room_.store(lagging, std::memory_order_seq_cst);
  if (lagging && !spent_.empty()) wake();
}

void EmbeddedPort::hand_over(Message* arrived) {
  for (Message* message = arrived; message != nullptr; message = message->next) {
    for (const Published& outcome : message->results.outcomes()) {
      links_[message->from].pending.answered(outcome.id);
    }
    message->results.hand_over(sink_, watched_);
  }
}

void EmbeddedPort::give_back(Message* arrived) {
  while (arrived != nullptr) {
    Message* const message = std::exchange(arrived, arrived->next);
    message->results.reset();
    message->commands.reset();
    EmbeddedPort& sender = *shared_.ports[message->from];
    message->from = index_;
    sender.spent_.post(message);
    if (sender.wants_room_.load(std::memory_order_seq_cst)) sender.wake();
  }
}

void EmbeddedPort::finish() {
  finished_ = true;
  Message* const arrived = inbox_.take();
  hand_over(arrived);
  give_back(arrived);
  core_.stop();
  due_.hand_over(sink_, watched_);
  due_.reset();
  std::vector<Published> outcomes;
  const auto unknown = [&](RequestId id) {
    outcomes.push_back(unknown_publish(id, "the bus was stopped meanwhile"));
  };
  for (const RequestId id : overloaded_)
    unknown(id);
  gathering_.each_publish_id(unknown);
  for (Link& link : links_)
    link.pending.drain(unknown);
  gathering_.reset();
  if (!outcomes.empty()) sink_.on_published(outcomes);
  if (announced_) sink_.on_state({.linked = false, .shared = false, .detail = "stopped"});
}

void EmbeddedPort::deliver(std::span<const broker::Target> targets, const Epoch& epoch,
                           const PublicationView& publication) {
  for (const broker::Target& target : targets) {
    if (target.peer != index_) [[unlikely]] {
      deliver_to(target.peer, target.alias, epoch, publication);
    } else if (publication.offset.value == 0) {
      due_.deliver(target.alias, epoch, publication);  // its bytes live until the turn's end
    } else {
      due_.deliver(target.alias, epoch, due_.keep(publication));
    }
  }
}

void EmbeddedPort::deliver_to(std::uint32_t shard, Alias alias, const Epoch& epoch,
                              const PublicationView& publication) {
  if (has_room(shard)) {
    TurnResults& results = open(shard).results;
    return results.deliver(alias, epoch, results.keep(publication));
  }
  if (publication.offset.value == 0) return probe_.dropped();
  probe_.replaced_by_head();
  HeadNotice notice;
  notice.alias = alias;
  notice.head = Head{epoch, publication.offset, {}};
  links_[shard].lagging.insert_or_assign(alias.index, notice);
}

void EmbeddedPort::head(broker::PeerId peer, const HeadNotice& notice) {
  if (peer == index_) return due_.head(notice);
  open(peer).results.head(notice);
}

void EmbeddedPort::published(broker::PeerId peer, const Published& outcome) {
  if (peer == index_) return due_.published(outcome);
  open(peer).results.published(outcome);
}

void EmbeddedPort::page(broker::PeerId peer, const Page& page) {
  if (peer == index_) return due_.page(page);
  open(peer).results.page(page);
}

void EmbeddedPort::presence(broker::PeerId peer, const PresenceAnswer& answer) {
  if (peer == index_) return due_.presence(answer);
  open(peer).results.presence(answer);
}

void EmbeddedPort::presence_event(broker::PeerId peer, const PresenceEvent& event) {
  if (peer == index_) return due_.presence_event(event);
  open(peer).results.presence_event(event);
}

// Gathered for the next turn like any publish; the channel may be at home elsewhere.
void EmbeddedPort::occupancy(broker::Occupancy what, std::string_view channel) {
  const std::string json = broker::occupancy_json(what, channel);
  PublishRequest request;
  request.channel = broker::kOccupancyChannel;
  request.publication.payload = json;
  publish(request);
}

}  // namespace peal::bus
