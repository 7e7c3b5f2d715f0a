#include "bus/zmq_thread.hpp"

#include <poll.h>

#include <algorithm>

#include "peal/proto/channel_name.hpp"

namespace peal::bus {
namespace {

using namespace std::chrono_literals;

/// Watches walked before the rest of a turn has its due.
constexpr int kWatchesPerTurn = 2000;
/// A publish waits so long for credit.
constexpr auto kWaitMax = 900ms;
constexpr auto kIdleMax = 100ms;
/// So long others are waited for, after none has served, before one begins with those that do.
constexpr auto kFirstLook = 1000ms;
/// Between two looks for a broker that takes a watch.
constexpr auto kRetryMin = 100ms;
constexpr auto kRetryMax = 2000ms;
/// A new watch is refused when nobody has taken it so often: after about a second.
constexpr std::uint8_t kRefusedMax = 4;

/// Of several brokers, in an answer of one that thinks another one should be asked.
bool asks_elsewhere(ErrorCode code) {
  return code == ErrorCode::not_owner || code == ErrorCode::not_ready;
}

}  // namespace

ZmqThread::ZmqThread(const ZmqBusConfig& config, const Limits& limits, runtime::Logger logger,
                     ZmqShared& shared, std::vector<ZmqPort*> ports, ZmqBusProbe& probe)
    : config_(config),
      limits_(limits),
      logger_(std::move(logger)),
      shared_(shared),
      ports_(std::move(ports)),
      probe_(probe),
      incarnation_(shared.random()),
      random_(shared.random()),
      watches_(ports_.size()),
      deliveries_(ports_, limits.link_credit_bytes, probe) {
  for (const BrokerAddress& broker : read_brokers(config.connect, "bus.connect").value()) {
    members_.push_back(broker.name);
    DialOwner& owner = *this;
    dials_.push_back(std::make_unique<ZmqDial>(
        ZmqDial::Target{broker.name, broker.endpoint}, static_cast<std::uint32_t>(dials_.size()),
        static_cast<std::uint32_t>(ports_.size()), config_.curve, limits_, logger_, context_,
        probe_, random_(), owner));
  }
  alone_ = dials_.size() == 1;
  if (alone_) members_.clear();
  ranks_ = Ranks(members_);
  owned_ = false;
  state_ = {.linked = false, .shared = true, .detail = "connecting to " + config_.connect.front()};
}

void ZmqThread::stop() noexcept {
  stopping_.store(true);
  shared_.wake.wake();
}

BusState ZmqThread::state() const {
  const std::lock_guard lock(state_mutex_);
  return state_;
}

void ZmqThread::say(BusState state) {
  deliveries_.say(state);
  const std::lock_guard lock(state_mutex_);
  state_ = std::move(state);
}

void ZmqThread::run() {
  begin();
  while (!stopping_.load()) {
    const LinkTime now = shared_.clock();
    turn(now);
    sleep(now);
  }
  finish(shared_.clock());
}

void ZmqThread::begin() {
  say(state());
}

void ZmqThread::turn(LinkTime now) {
  more_ = false;
  // Before anything is read: a stall discards what is queued.
  for (const auto& dial : dials_)
    dial->begin_turn(now);
  for (const auto& dial : dials_)
    more_ = dial->hear(now) || more_;
  look_at_brokers(now);
  take_spent();
  take_commands(now);
  walk_watches(now);
  ask_cluster(now);
  for (const auto& dial : dials_)
    dial->flush(now);
  deliveries_.post_all();
}

wire::Hello ZmqThread::hello(const ZmqDial&) {
  wire::Hello me = make_hello(config_.cluster, config_.node, incarnation_, limits_);
  me.answers = shared_.queries.answers();
  me.members = members_;
  return me;
}

void ZmqThread::on_linked(ZmqDial& dial) {
  owned_ = dial.session().link().peer().store == "disk";
}

void ZmqThread::on_lost(ZmqDial&, const Error&) {
  look_at_brokers(shared_.clock());
}

void ZmqThread::on_missed(ZmqDial& dial, std::uint64_t) {
  watches_.ask_again(dial.index());
  watches_.rewind();
}

std::string ZmqThread::trouble() const {
  std::string list;
  for (const auto& dial : dials_) {
    if (dial->ready()) continue;
    if (!list.empty()) list += "; ";
    if (!alone_) list += dial->target().name + " at ";
    list += dial->target().endpoint + ": ";
    list += dial->linked() ? "not ready yet" : dial->trouble();
  }
  return list;
}

/// Those that are about to serve are waited for a little, so that channels don't move at once.
bool ZmqThread::begins(LinkTime now) {
  bool some = false;
  bool all = true;
  for (const auto& dial : dials_) {
    some = some || dial->ready();
    all = all && (dial->ready() || (!dial->linked() && dial->failed()));
  }
  if (some && !begins_) begins_ = now + kFirstLook;
  return some && (all || now >= *begins_);
}

/// What has changed since the last look: who serves, and so what moves; and what ports are told.
void ZmqThread::look_at_brokers(LinkTime now) {
  std::uint64_t changes = 0;
  for (const auto& dial : dials_)
    changes += dial->changes();
  if (!begun_ && begins(now)) {
    begun_ = true;
    changes_ = 0;
  }
  if (std::exchange(changes_, changes) == changes) return;
  std::vector<std::uint64_t> serve;
  std::size_t linked = 0;
  for (const auto& dial : dials_) {
    linked += dial->linked() ? 1 : 0;
    serve.push_back(dial->ready() ? std::uint64_t{dial->serial()} << 32U | dial->standing().view
                                  : 0);
  }
  probe_.links_are(linked);
  BusState state{.linked = false, .shared = true, .detail = {}};
  for (const auto& dial : dials_) {
    if (!dial->ready()) continue;
    state.detail += (state.detail.empty() ? "" : ", ") + dial->session().link().peer().node +
                    " at " + dial->target().endpoint;
    state.linked = true;
  }
  if (!state.linked) {
    begun_ = false;
    begins_.reset();
  }
  state.linked = state.linked && begun_;
  if (const std::string why = trouble(); !why.empty())
    state.detail += (state.detail.empty() ? "" : "; ") + why;
  const BusState before = this->state();
  if (state.linked != before.linked || state.detail != before.detail) say(std::move(state));
  if (serve == serve_) return;
  serve_ = std::move(serve);
  watches_.rewind();
  retry_.reset();
  retry_due_ = false;
  retry_pause_ = 0ms;
}

ZmqDial* ZmqThread::serving(std::uint64_t channel) {
  if (alone_) return dials_.front()->ready() ? dials_.front().get() : nullptr;
  const auto first =
      ranks_.first(channel, [&](std::size_t broker) { return owned_ || dials_[broker]->ready(); });
  return first && dials_[*first]->ready() ? dials_[*first].get() : nullptr;
}

ZmqDial* ZmqThread::told_of(const ZmqWatches::Watch& watch) {
  ZmqDial& dial = *dials_[watch.broker];
  return watch.told_to(dial.index(), dial.serial()) ? &dial : nullptr;
}

bool ZmqThread::on_head(ZmqDial& dial, std::uint32_t port, const HeadNotice& notice) {
  ZmqWatches::Watch* const watch = watches_.find(port, notice.alias);
  if (watch == nullptr || !watch->told_to(dial.index(), dial.serial())) return false;
  if (notice.error) {
    if (!alone_ && asks_elsewhere(notice.error->code)) {
      nobody_takes(port, notice.alias, *watch, *notice.error);
      return false;
    }
    watches_.remove(*watch);
    return true;
  }
  watch->answered = watch->answered || notice.answer;
  watch->refused = 0;
  watch->recoverable = notice.head.has_value();
  if (notice.head) watch->seen = notice.head->epoch;
  return true;
}

/// It waits for a broker that takes it; one that the port has just asked for, not for ever.
void ZmqThread::nobody_takes(std::uint32_t port, Alias alias, ZmqWatches::Watch& watch, Error why) {
  watch.told = 0;
  if (!watch.answered && ++watch.refused > kRefusedMax) {
    results(port).head(refused_watch(alias, std::move(why)));
    return watches_.remove(watch);
  }
  retry_due_ = true;
}

/// Carries out what one port asked in one turn.
struct ZmqThread::Visitor {
  ZmqThread& self;
  std::uint32_t port;
  bool old;  ///< it has waited for credit long enough

  void watch(Alias alias, std::string_view channel) {
    if (channel.size() > kChannelNameBytesMax)
      return self.results(port).head(refused_watch(alias, ChannelName::parse(channel).error()));
    if (ZmqWatches::Watch* const before = self.watches_.find(port, alias)) unwatch(*before, alias);
    ZmqWatches::Watch& watch = self.watches_.add(port, alias, channel);
    // Without credit the walk comes to it.
    if (!self.place({port, alias, watch})) self.watches_.rewind();
  }
  void unwatch(Alias alias) {
    if (ZmqWatches::Watch* const watch = self.watches_.find(port, alias)) unwatch(*watch, alias);
  }
  void unwatch(ZmqWatches::Watch& watch, Alias alias) {
    if (ZmqDial* const dial = self.told_of(watch)) dial->session().unwatch(port, alias);
    self.watches_.remove(watch);
  }
  void publish(const PublishRequest& request) {
    ZmqDial* const dial = self.serving(request.channel);
    const bool late = dial != nullptr && old && !dial->takes_commands();
    if (dial != nullptr && !late) return dial->session().publish(port, request);
    self.probe_.publish_refused();
    if (request.id == 0) return;
    self.results(port).published(
        late ? refused_publish(request.id,
                               fail(ErrorCode::overloaded, "the broker takes no more for now"))
             : refused_publish(request.id, fail(ErrorCode::broker_unavailable, self.trouble())));
  }
  void read(const ReadRequest& request) {
    if (ZmqDial* const dial = self.serving(request.channel))
      return dial->session().read(port, request);
    self.results(port).page(
        failed_page(request.id, fail(ErrorCode::broker_unavailable, self.trouble())));
  }
  // Not before its watch is said on this link: after the answer all is entered again.
  void enter(Alias alias, const Member& member) {
    const ZmqWatches::Watch* const watch = self.watches_.find(port, alias);
    if (watch == nullptr) return;
    if (ZmqDial* const dial = self.told_of(*watch)) dial->session().enter(port, alias, member);
  }
  void leave(Alias alias, std::string_view session) {
    const ZmqWatches::Watch* const watch = self.watches_.find(port, alias);
    if (watch == nullptr) return;
    if (ZmqDial* const dial = self.told_of(*watch)) dial->session().leave(port, alias, session);
  }
  void presence(const PresenceRequest& request) {
    if (ZmqDial* const dial = self.serving(request.channel))
      return dial->session().presence(port, request);
    self.results(port).presence(
        failed_presence(request.id, fail(ErrorCode::broker_unavailable, self.trouble())));
  }
};

void ZmqThread::carry_out(CommandMessage& message, LinkTime now) {
  Visitor visitor{*this, message.port, now - message.posted > kWaitMax};
  message.commands.visit(visitor);
  message.commands.reset();
  shared_.queued_bytes.fetch_sub(message.bytes, std::memory_order_relaxed);
  ports_[message.port]->give_back(&message);
}

bool ZmqThread::credit_lacks() const {
  return std::ranges::any_of(
      dials_, [](const auto& dial) { return dial->ready() && !dial->takes_commands(); });
}

void ZmqThread::take_commands(LinkTime now) {
  for (CommandMessage* message = shared_.commands.take(); message != nullptr;) {
    backlog_.push_back(std::exchange(message, message->next));
  }
  while (!backlog_.empty()) {
    CommandMessage& oldest = *backlog_.front();
    if (now - oldest.posted <= kWaitMax && credit_lacks()) break;
    backlog_.pop_front();
    carry_out(oldest, now);
  }
}

/// Says the watch to who serves it, unless that has been done on this link and is enough. False: it
/// lacks credit.
bool ZmqThread::place(const ZmqWatches::Step& step) {
  ZmqWatches::Watch& watch = step.watch;
  ZmqDial* const to = serving(watch.hash);
  ZmqDial* const before = told_of(watch);
  if (to != nullptr && to == before && !watch.again) return true;
  if ((to != nullptr && !to->takes_commands()) || (before != nullptr && !before->takes_commands()))
    return false;
  if (before != nullptr && before != to) before->session().unwatch(step.port, step.alias);
  watch.again = false;
  if (to == nullptr) {
    watch.told = 0;
    // With no broker at all the ports know that they have to wait.
    if (state().linked)
      nobody_takes(step.port, step.alias, watch, fail(ErrorCode::broker_unavailable, trouble()));
    return true;
  }
  watch.broker = static_cast<std::uint8_t>(to->index());
  watch.told = to->serial();
  to->session().watch(step.port, step.alias, watch.channel,
                      watch.recoverable ? std::optional(watch.seen) : std::nullopt);
  return true;
}

void ZmqThread::walk_watches(LinkTime now) {
  if (retry_due_ && !retry_) {
    retry_pause_ = std::clamp<std::chrono::milliseconds>(retry_pause_ * 2, kRetryMin, kRetryMax);
    retry_ = now + retry_pause_ +
             std::chrono::milliseconds(random_() %
                                       (1 + static_cast<std::uint64_t>(retry_pause_.count()) / 4));
  }
  if (retry_ && now >= *retry_) {
    retry_.reset();
    retry_due_ = false;
    watches_.rewind();
  }
  for (int i = 0; i < kWatchesPerTurn && watches_.walking(); ++i) {
    const auto step = watches_.next();
    if (!step) break;
    if (place(*step)) continue;
    watches_.stay();
    return;  // credit comes with a message
  }
  more_ = more_ || watches_.walking();
}

void ZmqThread::ask_cluster(LinkTime now) {
  if (shared_.queries.idle()) return;
  std::vector<ZmqSession*> linked;
  for (const auto& dial : dials_)
    if (dial->linked()) linked.push_back(&dial->session());
  shared_.queries.turn(linked, now);
}

void ZmqThread::take_spent() {
  for (ResultMessage* message = shared_.spent.take(); message != nullptr;) {
    deliveries_.take_back(std::exchange(message, message->next));
  }
}

void ZmqThread::sleep(LinkTime now) {
  const bool wants_room = deliveries_.wants_room();
  shared_.wants_room.store(wants_room, std::memory_order_seq_cst);
  if (wants_room && !shared_.spent.empty()) more_ = true;
  if (more_ || !shared_.commands.empty() || stopping_.load()) return;
  std::vector<pollfd> polled{{shared_.wake.descriptor(), POLLIN, 0}};
  std::chrono::milliseconds timeout = kIdleMax;
  for (const auto& dial : dials_) {
    if (dial->pending()) return;
    polled.push_back({dial->descriptor(), POLLIN, 0});
    polled.push_back({dial->monitor_descriptor(), POLLIN, 0});
    timeout = dial->patience(now, timeout);
  }
  ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  if ((polled[0].revents & POLLIN) != 0) shared_.wake.clear();
}

/// Whatever is unanswered is unknown now, also what never left: the contract of Bus::stop.
void ZmqThread::finish(LinkTime now) {
  for (const auto& dial : dials_)
    dial->close(now);
  for (CommandMessage* message = shared_.commands.take(); message != nullptr;) {
    backlog_.push_back(std::exchange(message, message->next));
  }
  for (CommandMessage* message : backlog_) {
    message->commands.each_publish_id([&](RequestId id) {
      results(message->port).published(unknown_publish(id, "the bus was stopped meanwhile"));
    });
    message->commands.reset();
    ports_[message->port]->give_back(message);
  }
  backlog_.clear();
  shared_.queries.finish();
  say({.linked = false, .shared = true, .detail = "stopped"});
  deliveries_.post_all();
}

}  // namespace peal::bus
