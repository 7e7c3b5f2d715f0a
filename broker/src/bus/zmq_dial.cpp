#include "bus/zmq_dial.hpp"

#include <algorithm>
#include <utility>

#include "peal/runtime/curve.hpp"

namespace peal::bus {
namespace {

using namespace std::chrono_literals;

/// Messages read before others have their due.
constexpr int kMessagesPerTurn = 64;
constexpr auto kPauseMax = 2000ms;
constexpr auto kComplainEvery = 10s;
constexpr std::string_view kNotYet = "not connected yet";

}  // namespace

ZmqDial::ZmqDial(Target target, std::uint32_t index, std::uint32_t ports,
                 const runtime::CurveConfig& curve, const Limits& limits,
                 const runtime::Logger& logger, ZmqContext& context, ZmqBusProbe& probe,
                 std::uint64_t seed, DialOwner& owner)
    : target_(std::move(target)),
      index_(index),
      ports_(ports),
      curve_(curve),
      limits_(limits),
      logger_(logger),
      context_(context),
      probe_(probe),
      random_(seed),
      owner_(owner) {}

void ZmqDial::begin_turn(LinkTime now) {
  if (session_) session_->on_turn(now);
  if (!socket_ && now >= next_socket_) open_socket(now);
  if (session_ && session_->link().state() == PeerLink::State::ended) end_session(now);
}

bool ZmqDial::hear(LinkTime now) {
  if (socket_) hear_events(now);
  const bool more = socket_ && hear_messages(now);
  if (linked() && seen_ != standing()) {
    seen_ = standing();
    ++changes_;
  }
  return more;
}

void ZmqDial::close(LinkTime now) {
  if (!session_) return;
  session_->flush(now);
  session_->link().end(fail(ErrorCode::broker_unavailable, "this process stops"));
  session_->close(now);
  session_.reset();
  socket_.reset();
}

std::chrono::milliseconds ZmqDial::patience(LinkTime now, std::chrono::milliseconds most) const {
  if (session_ && session_->stuck()) return std::min<std::chrono::milliseconds>(most, 1ms);
  if (socket_) return most;
  const auto until = std::chrono::ceil<std::chrono::milliseconds>(next_socket_ - now);
  return std::clamp<std::chrono::milliseconds>(until, 0ms, most);
}

void ZmqDial::open_socket(LinkTime now) {
  socket_ = std::make_unique<ZmqSocket>(context_, SocketKind::dealer, limits_);
  auto connected = runtime::apply_curve_client(socket_->handle(), curve_);
  if (connected) connected = socket_->connect(target_.endpoint);
  if (connected) return;
  logger_.error("bus socket",
                {{"endpoint", target_.endpoint}, {"error", connected.error().message}});
  trouble_ = connected.error().message;
  socket_.reset();
  next_socket_ = now + kPauseMax;
}

bool ZmqDial::may_complain(LinkTime now) {
  if (now - last_complaint_ < kComplainEvery && last_complaint_ != LinkTime{}) return false;
  last_complaint_ = now;
  return true;
}

void ZmqDial::hear_events(LinkTime now) {
  while (socket_) {
    const auto event = socket_->next_event();
    if (!event) return;
    if (event->what == SocketEvent::What::connected) {
      if (session_) continue;
      SessionOwner& owner = *this;
      wire::Hello me = owner_.hello(*this);
      me.wanted = target_.name;
      session_ = std::make_unique<ZmqSession>(owner, std::move(me), LinkOptions{}, ports_,
                                              limits_.batch_bytes_max, now, owner_.standing(*this));
    } else if (event->what == SocketEvent::What::disconnected) {
      // What came before the end counts: outcomes, and why the broker went.
      while (session_ && hear_messages(now)) {
      }
      if (!session_) continue;
      session_->link().end(
          fail(ErrorCode::broker_unavailable, "the connection to the broker was lost"));
      end_session(now);
    } else {
      on_failure(*event, now);
    }
  }
}

void ZmqDial::on_failure(const SocketEvent& event, LinkTime now) {
  const bool refused = event.what == SocketEvent::What::refused;
  const bool handshake = refused || event.what == SocketEvent::What::broken;
  if (refused) {
    trouble_ = "the broker does not allow our CURVE key";
  } else if (handshake) {
    trouble_ = "the handshake failed: another CURVE server key, or no broker at that address";
  } else if (trouble_.empty() || trouble_ == kNotYet) {
    trouble_ = "cannot connect";
  }
  if (!std::exchange(failed_, true)) ++changes_;
  handshake ? probe_.handshake_failed() : probe_.connect_failed();
  if (!may_complain(now)) return;
  ++changes_;
  logger_.warn("no broker", {{"endpoint", target_.endpoint}, {"reason", trouble_}});
}

bool ZmqDial::hear_messages(LinkTime now) {
  for (int i = 0; i < kMessagesPerTurn && socket_; ++i) {
    if (!socket_->receive(frames_)) return false;
    owner_.make_room();
    if (!session_) continue;  // its event has not been heard yet, or the session is over
    if (frames_.size() != 2) {
      probe_.garbage_received();
      session_->link().on_garbage(
          fail(ErrorCode::command_invalid, "a message of the bus has two frames"));
    } else {
      probe_.message_received(frames_.at(0).size() + frames_.at(1).size());
      on_verdict(session_->on_message(frames_.at(0), frames_.at(1), now));
    }
    if (session_->link().state() == PeerLink::State::ended) {
      end_session(now);
      return false;
    }
  }
  return socket_ != nullptr;
}

void ZmqDial::on_verdict(const PeerLink::Verdict& verdict) {
  PeerLink& link = session_->link();
  if (verdict.linked_now) {
    const std::string& broker = link.peer().node;
    ++serial_;
    probe_.linked();
    logger_.info("linked with a broker", {{"broker", broker}, {"endpoint", target_.endpoint}});
    trouble_.clear();
    pause_ = 0ms;
    last_complaint_ = {};
    ++changes_;
    owner_.on_linked(*this);
  }
  if (verdict.missing == 0) return;
  probe_.missed(verdict.missing);
  logger_.warn("a gap on the link: asking for heads",
               {{"endpoint", target_.endpoint}, {"missing", verdict.missing}});
  owner_.on_missed(*this, verdict.missing);
}

void ZmqDial::end_session(LinkTime now) {
  const auto why =
      session_->link().why().value_or(fail(ErrorCode::broker_unavailable, "the link is over"));
  // Lost by itself: at once. Refused: it will not soon be otherwise.
  const bool lost =
      why.code == ErrorCode::broker_unavailable || why.code == ErrorCode::hello_required;
  const bool was_linked = serial_ != 0 && trouble_.empty();
  if (was_linked || why.message != trouble_ || may_complain(now)) {
    last_complaint_ = now;
    logger_.warn(
        "the link with the broker is over",
        {{"endpoint", target_.endpoint}, {"code", info(why.code).name}, {"reason", why.message}});
  }
  trouble_ = why.message;
  if (was_linked) probe_.link_lost();
  failed_ = true;
  ++changes_;
  owner_.on_lost(*this, why);
  session_->close(now);
  session_.reset();
  socket_.reset();
  pause_ = lost ? 0ms : std::min<std::chrono::milliseconds>(kPauseMax, pause_ * 2 + 100ms);
  const auto jitter =
      std::chrono::milliseconds(random_() % (1 + static_cast<std::uint64_t>(pause_.count()) / 2));
  next_socket_ = now + pause_ + jitter;
}

ZmqDial::Sent ZmqDial::send(wire::Message& message) {
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

}  // namespace peal::bus
