#include "bus/zmq_thread.hpp"

#include <poll.h>

#include <algorithm>
#include <array>

#include "peal/proto/channel_name.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::bus {
namespace {

using namespace std::chrono_literals;

/// Messages read, and watches walked, before the rest of a turn has its due.
constexpr int kMessagesPerTurn = 64;
constexpr int kWatchesPerTurn = 2000;
/// A publish waits so long for credit.
constexpr auto kWaitMax = 900ms;
constexpr auto kIdleMax = 100ms;
constexpr auto kPauseMax = 2000ms;
constexpr auto kComplainEvery = 10s;

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
  trouble_ = "not connected yet";
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
  if (session_) session_->on_turn(now);  // before anything is read: a stall discards what is queued
  if (!socket_ && now >= next_socket_) open_socket(now);
  if (session_ && session_->link().state() == PeerLink::State::ended) end_session(now);
  if (socket_) hear_events(now);
  if (socket_) hear_messages(now);
  take_spent();
  take_commands(now);
  walk_watches();
  ask_cluster(now);
  if (session_) session_->flush(now);
  deliveries_.post_all();
}

void ZmqThread::open_socket(LinkTime now) {
  socket_ = std::make_unique<ZmqSocket>(context_, SocketKind::dealer, limits_);
  auto connected = runtime::apply_curve_client(socket_->handle(), config_.curve);
  if (connected) connected = socket_->connect(config_.connect.front());
  if (connected) return;
  logger_.error("bus socket",
                {{"endpoint", config_.connect.front()}, {"error", connected.error().message}});
  trouble_ = connected.error().message;
  socket_.reset();
  next_socket_ = now + kPauseMax;
}

void ZmqThread::hear_events(LinkTime now) {
  while (socket_) {
    const auto event = socket_->next_event();
    if (!event) return;
    using What = SocketEvent::What;
    if (event->what == What::connected) {
      if (session_) continue;
      SessionOwner& owner = *this;
      wire::Hello me = make_hello(config_.cluster, config_.node, incarnation_, limits_);
      me.answers = shared_.queries.answers();
      session_ = std::make_unique<ZmqSession>(owner, std::move(me), LinkOptions{},
                                              static_cast<std::uint32_t>(ports_.size()),
                                              limits_.batch_bytes_max, now);
    } else if (event->what == What::disconnected) {
      // What came before the end counts: outcomes, and why the broker went.
      for (more_ = true; more_ && session_;) {
        more_ = false;
        hear_messages(now);
      }
      if (!session_) continue;
      session_->link().end(
          fail(ErrorCode::broker_unavailable, "the connection to the broker was lost"));
      end_session(now);
    } else {
      const bool handshake = event->what == What::refused || event->what == What::broken;
      if (event->what == What::refused) {
        trouble_ = "the broker does not allow our CURVE key";
      } else if (handshake) {
        trouble_ = "the handshake failed: another CURVE server key, or no broker at that address";
      } else if (trouble_.empty() || trouble_ == "not connected yet") {
        trouble_ = "cannot connect";
      }
      handshake ? probe_.handshake_failed() : probe_.connect_failed();
      if (now - last_complaint_ < kComplainEvery && last_complaint_ != LinkTime{}) continue;
      last_complaint_ = now;
      logger_.warn("no broker", {{"endpoint", config_.connect.front()}, {"reason", trouble_}});
      say({.linked = false, .shared = true, .detail = config_.connect.front() + ": " + trouble_});
    }
  }
}

void ZmqThread::hear_messages(LinkTime now) {
  for (int i = 0; i < kMessagesPerTurn && socket_; ++i) {
    if (!socket_->receive(frames_)) return;
    take_spent();             // what ports have done with makes room for what this message brings
    if (!session_) continue;  // its event has not been heard yet, or the session is over
    if (frames_.size() != 2) {
      probe_.garbage_received();
      session_->link().on_garbage(
          fail(ErrorCode::command_invalid, "a message of the bus has two frames"));
    } else {
      probe_.message_received(frames_.at(0).size() + frames_.at(1).size());
      const auto verdict = session_->on_message(frames_.at(0), frames_.at(1), now);
      if (verdict.linked_now) {
        const std::string& broker = session_->link().peer().node;
        probe_.linked();
        logger_.info("linked with a broker",
                     {{"broker", broker}, {"endpoint", config_.connect.front()}});
        trouble_.clear();
        pause_ = 0ms;
        last_complaint_ = {};
        say({.linked = true, .shared = true, .detail = broker + " at " + config_.connect.front()});
        watches_.rewind(false);
      }
      if (verdict.missing != 0) {
        probe_.missed(verdict.missing);
        logger_.warn("a gap on the link: asking for heads", {{"missing", verdict.missing}});
        watches_.rewind_recoverable();
      }
    }
    if (session_->link().state() == PeerLink::State::ended) return end_session(now);
  }
  more_ = socket_ != nullptr;
}

void ZmqThread::end_session(LinkTime now) {
  const auto why =
      session_->link().why().value_or(fail(ErrorCode::broker_unavailable, "the link is over"));
  trouble_ = why.message;
  logger_.warn("the link with the broker is over", {{"endpoint", config_.connect.front()},
                                                    {"code", info(why.code).name},
                                                    {"reason", why.message}});
  probe_.link_lost();
  say({.linked = false, .shared = true, .detail = config_.connect.front() + ": " + why.message});
  session_->close(now);
  session_.reset();
  socket_.reset();
  watches_.stop();
  // Lost by itself: at once. Refused: it will not soon be otherwise.
  const bool lost =
      why.code == ErrorCode::broker_unavailable || why.code == ErrorCode::hello_required;
  pause_ = lost ? 0ms : std::min<std::chrono::milliseconds>(kPauseMax, pause_ * 2 + 100ms);
  const auto jitter =
      std::chrono::milliseconds(random_() % (1 + static_cast<std::uint64_t>(pause_.count()) / 2));
  next_socket_ = now + pause_ + jitter;
}

ZmqThread::Sent ZmqThread::send(wire::Message& message) {
  const std::size_t bytes = message.header.size() + message.body.size();
  switch (socket_->send({}, message.header, message.body)) {
    case ZmqSocket::Sent::ok:
      probe_.message_sent(bytes);
      return Sent::ok;
    case ZmqSocket::Sent::full:
      return Sent::full;
    case ZmqSocket::Sent::gone:
      break;
  }
  return Sent::gone;
}

void ZmqThread::on_answer(std::uint32_t port, Alias alias, bool recoverable, bool refused) {
  if (refused) {
    watches_.remove(port, alias);
  } else {
    watches_.answered(port, alias, recoverable);
  }
}

/// Carries out what one port asked in one turn.
struct ZmqThread::Visitor {
  ZmqThread& self;
  std::uint32_t port;
  ZmqSession* link;  ///< null: there is none
  bool too_late;

  void watch(Alias alias, std::string_view channel) {
    if (channel.size() > kChannelNameBytesMax) {
      HeadNotice notice;
      notice.alias = alias;
      notice.answer = true;
      notice.error = ChannelName::parse(channel).error();
      return self.results(port).head(notice);
    }
    self.watches_.add(port, alias, channel);
    if (link != nullptr && !self.watches_.ahead(port, alias)) link->watch(port, alias, channel);
  }
  void unwatch(Alias alias) {
    const bool there = self.watches_.remove(port, alias);
    if (there && link != nullptr && !self.watches_.ahead(port, alias)) link->unwatch(port, alias);
  }
  void publish(const PublishRequest& request) {
    if (link != nullptr && !too_late) return link->publish(port, request);
    self.probe_.publish_refused();
    if (request.id == 0) return;
    self.results(port).published(
        too_late ? refused_publish(request.id, Published::Status::refused, ErrorCode::overloaded,
                                   "the broker takes no more for now")
                 : refused_publish(request.id, Published::Status::refused,
                                   ErrorCode::broker_unavailable, self.trouble_));
  }
  void read(const ReadRequest& request) {
    if (link != nullptr) return link->read(port, request);
    self.results(port).page(
        failed_page(request.id, fail(ErrorCode::broker_unavailable, self.trouble_)));
  }
  // Not before its watch is said on this link: after the answer all is entered again.
  void enter(Alias alias, const Member& member) {
    if (link != nullptr && !self.watches_.ahead(port, alias)) link->enter(port, alias, member);
  }
  void leave(Alias alias, std::string_view session) {
    if (link != nullptr && !self.watches_.ahead(port, alias)) link->leave(port, alias, session);
  }
  void presence(const PresenceRequest& request) {
    if (link != nullptr) return link->presence(port, request);
    self.results(port).presence(
        failed_presence(request.id, fail(ErrorCode::broker_unavailable, self.trouble_)));
  }
};

void ZmqThread::carry_out(CommandMessage& message, LinkTime now) {
  ZmqSession* const link = session_ && session_->link().linked() ? session_.get() : nullptr;
  Visitor visitor{*this, message.port, link, link != nullptr && now - message.posted > kWaitMax};
  message.commands.visit(visitor);
  message.commands.reset();
  shared_.queued_bytes.fetch_sub(message.bytes, std::memory_order_relaxed);
  ports_[message.port]->give_back(&message);
}

void ZmqThread::take_commands(LinkTime now) {
  for (CommandMessage* message = shared_.commands.take(); message != nullptr;) {
    backlog_.push_back(std::exchange(message, message->next));
  }
  while (!backlog_.empty()) {
    CommandMessage& oldest = *backlog_.front();
    const bool linked = session_ && session_->link().linked();
    if (linked && !session_->takes_commands() && now - oldest.posted <= kWaitMax) break;
    backlog_.pop_front();
    carry_out(oldest, now);
  }
}

void ZmqThread::walk_watches() {
  if (!session_ || !session_->link().linked()) return;
  for (int i = 0; i < kWatchesPerTurn && watches_.walking(); ++i) {
    if (!session_->takes_commands()) return;
    const auto watch = watches_.next();
    if (watch) session_->watch(watch->port, watch->alias, watch->channel);
  }
  more_ = more_ || watches_.walking();
}

void ZmqThread::ask_cluster(LinkTime now) {
  if (shared_.queries.idle()) return;
  std::vector<ZmqSession*> linked;
  if (session_ && session_->link().linked()) linked.push_back(session_.get());
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
  if (socket_ && socket_->pending()) return;
  std::array<pollfd, 3> polled{{{shared_.wake.descriptor(), POLLIN, 0},
                                {socket_ ? socket_->descriptor() : -1, POLLIN, 0},
                                {socket_ ? socket_->monitor_descriptor() : -1, POLLIN, 0}}};
  std::chrono::milliseconds timeout = kIdleMax;
  if (session_ && session_->stuck()) timeout = 1ms;
  if (!socket_) {
    const auto until = std::chrono::ceil<std::chrono::milliseconds>(next_socket_ - now);
    timeout = std::clamp<std::chrono::milliseconds>(until, 0ms, kIdleMax);
  }
  ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  if ((polled[0].revents & POLLIN) != 0) shared_.wake.clear();
}

/// Whatever is unanswered is unknown now, also what never left: the contract of Bus::stop.
void ZmqThread::finish(LinkTime now) {
  if (session_) {
    session_->flush(now);
    session_->link().end(fail(ErrorCode::broker_unavailable, "this process stops"));
    session_->close(now);
  }
  for (CommandMessage* message = shared_.commands.take(); message != nullptr;) {
    backlog_.push_back(std::exchange(message, message->next));
  }
  for (CommandMessage* message : backlog_) {
    message->commands.each_publish_id([&](RequestId id) {
      results(message->port)
          .published(refused_publish(id, Published::Status::unknown,
                                     ErrorCode::publish_outcome_unknown,
                                     "the bus was stopped meanwhile"));
    });
    message->commands.reset();
    ports_[message->port]->give_back(message);
  }
  backlog_.clear();
  shared_.queries.finish();
  say({.linked = false, .shared = true, .detail = "stopped"});
  deliveries_.post_all();
  session_.reset();
  socket_.reset();
}

}  // namespace peal::bus
