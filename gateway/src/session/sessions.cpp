// Frames, deadlines and ends of sessions.
#include "session/sessions.hpp"

#include <algorithm>
#include <cstdio>

namespace peal::gateway {

using State = Connection::State;
using websocket::Opcode;

Sessions::Sessions(const ShardConfig& config, Connections& connections, Encoder& encoder,
                   GatewayProbe& probe, SessionHost host)
    : config_(config),
      connections_(connections),
      encoder_(encoder),
      probe_(probe),
      host_(std::move(host)),
      rooms_(connections.table(), connections.outlet(), encoder, probe, config.limits,
             [this](const Connection& connection) { return id_of(connection); }),
      hub_(connections.table(), connections.outlet(), encoder, probe, *config.rules, config.limits,
           *this),
      reads_(probe),
      shelf_(reads_, *host_.shelves, host_.shard, config.limits,
             [this](const SharedPageRef& page, const std::vector<PageShelf::Waiter>& waiting) {
               hub_.recoveries().on_page(page, waiting);
             }),
      decoder_limits_{config.limits.command_bytes_max, config.limits.fragments_max} {}

Sessions::~Sessions() = default;

void Sessions::attach(bus::BusPort& port) {
  port_ = &port;
  hub_.attach(port, shelf_);
  reads_.attach(port);
  rooms_.attach(port);
}

void Sessions::tick(std::chrono::milliseconds now) {
  shelf_.tick(static_cast<PageShelf::Millis>(now.count()));
  hub_.tick(now);
}

void Sessions::opened(Connection& connection) {
  connections_.schedule(connection, config_.limits.ping_interval);
  probe_.session_opened();
  probe_.session_count_changed(++count_);
}

bool Sessions::paused(const Connection& connection) const {
  return connection.unanswered >= config_.limits.commands_pending_max ||
         (connection.cold && connection.cold->has_stalled);
}

void Sessions::on_input(Connection& connection, std::span<char>& input) {
  if (encoder_.sse(connection.variant)) {
    input = {};  // nothing is asked of a stream any more
    return;
  }
  while (!input.empty() && connection.state != State::dead &&
         connection.state != State::lingering) {
    if (connection.state == State::open && paused(connection)) {
      // Most often the bus is this process: its answers are one turn of the port away.
      if (connection.publishes_unanswered == 0) return;
      host_.pump_bus();
      if (connection.state == State::open && connection.cold && connection.cold->has_stalled)
        on_resumed(connection);
      if (connection.state == State::open && paused(connection)) return;
      if (connections_.full()) return connections_.yield(connection);
      continue;
    }
    const websocket::Event event = connection.decoder.next(input, decoder_limits_);
    if (event.kind == websocket::Event::Kind::need_more) {
      if (!input.empty()) connection.cold_part().input_wanted = event.bytes_needed;
      return;
    }
    on_frame(connection, event);
  }
}

void Sessions::on_frame(Connection& connection, const websocket::Event& event) {
  using Kind = websocket::Event::Kind;
  if (connection.state == State::closing) {
    if (event.kind != Kind::close && event.kind != Kind::error) return;
    connection.peer_closed = true;
    return;
  }
  switch (event.kind) {
    case Kind::message:
      return on_message(connection, event.payload);
    case Kind::ping:
    case Kind::pong: {
      if (event.kind == Kind::pong) connection.pong_due = false;
      if (connection.rate_second != connections_.now_s()) {
        connection.rate_second = connections_.now_s();
        connection.controls_in_second = 0;
        connection.commands_in_second = 0;
      }
      if (++connection.controls_in_second > config_.limits.control_frames_per_second_max)
        return close(connection, CloseCode::flooding,
                     "more control frames than limits.control_frames_per_second_max");
      // A peer that pings without reading gets no pile of pongs.
      if (event.kind == Kind::ping && !connection.outbox.blocked())
        control(connection, Opcode::pong, event.payload);
      return;
    }
    case Kind::close: {
      connection.peer_closed = true;
      std::string frame;
      websocket::append_close(frame, event.code == 1005 ? 1000 : event.code, "");
      connections_.outlet().append(connection, FrameRef::make(frame, 0));
      ended(connection);
      return connections_.finish(connection);
    }
    case Kind::error:
      return close(connection, static_cast<CloseCode>(event.code), event.reason);
    case Kind::need_more:
      return;
  }
}

void Sessions::control(Connection& connection, Opcode opcode, std::string_view payload) {
  std::string frame;
  websocket::append_frame(frame, opcode, payload);
  connections_.outlet().append(connection, FrameRef::make(frame, 0));
}

void Sessions::on_timer(Connection& connection) {
  if (encoder_.sse(connection.variant)) return beat(connection);
  const Limits& limits = config_.limits;
  // Pings are paced as told also where an answer might take longer than until the next one.
  const auto patience = std::min(limits.pong_timeout, limits.ping_interval);
  const bool heard = connection.heard;
  connection.heard = false;
  if (connection.pong_due && !heard && !paused(connection))
    return close(connection, CloseCode::heartbeat_timeout, "no answer to a ping");
  if (connection.pong_due) {
    connection.pong_due = false;
    connections_.schedule(connection,
                          std::max(limits.ping_interval - patience, std::chrono::milliseconds(1)));
    return;
  }
  connection.pong_due = true;
  control(connection, Opcode::ping, "");
  if (connection.heartbeat)
    connections_.outlet().append(connection,
                                 encoder_.push_frame(connection.variant, HeartbeatPush{}));
  connections_.schedule(connection, patience);
}

void Sessions::close(Connection& connection, CloseCode code, std::string_view reason) {
  if (connection.state != State::open) return;
  probe_.closed(code);
  if (encoder_.sse(connection.variant)) return end_stream(connection, code, reason);
  // What has not begun to leave is dropped: the client comes back and catches up, or must not.
  if (code == CloseCode::slow_consumer) connections_.outlet().drop_unsent(connection);
  std::string frame;
  websocket::append_close(frame, static_cast<std::uint16_t>(code), reason);
  connections_.outlet().append(connection, FrameRef::make(frame, 0));
  ended(connection);
  connections_.finish(connection);
}

void Sessions::on_too_slow(Connection& connection, SlowReason reason) {
  if (connection.state != State::open || connection.doomed) return;
  connection.doomed = true;
  probe_.too_slow(reason);
  doomed_.emplace_back(connection.index, connections_.generation(connection));
}

void Sessions::close_doomed() {
  for (const auto& [index, generation] : doomed_)
    if (Connection* connection = connections_.find(index, generation))
      close(*connection, CloseCode::slow_consumer,
            "the queue is over limits.queue_bytes_max or limits.queue_age_max");
  doomed_.clear();
}

void Sessions::on_gone(Connection& connection) {
  if (connection.state == State::open) ended(connection);
}

void Sessions::ended(Connection& connection) {
  hub_.leave_all(connection);
  probe_.session_count_changed(--count_);
  host_.session_ended();
}

void Sessions::close_session(std::uint32_t index, std::uint32_t generation, CloseCode code,
                             std::string_view reason) {
  if (Connection* connection = connections_.find(index, generation))
    close(*connection, code, reason);
}

std::string Sessions::id_of(const Connection& connection) const {
  char text[32];
  const int size =
      std::snprintf(text, sizeof text, "%08x-%02x-%x-%x", host_.incarnation, host_.shard,
                    connection.index, connections_.generation(connection));
  return {text, static_cast<std::size_t>(size)};
}

SessionRef Sessions::ref(const Connection& connection) const {
  return {host_.mailbox, connection.index, connections_.generation(connection), id_of(connection)};
}

SessionInfo Sessions::info_of(Connection& connection) {
  SessionInfo info;
  info.id = id_of(connection);
  info.user = connection.principal->user;
  info.peer = connections_.client(connection);
  info.protocol = encoder_.sse(connection.variant)
                      ? std::string_view("sse")
                      : encoder_.protocol(connection.variant).subprotocol();
  info.subscriptions = connection.subscriptions.size();
  info.queued_bytes = connection.outbox.bytes();
  info.commands_unanswered = connection.unanswered;
  info.age = std::chrono::seconds(connections_.now_s() - connection.since_s);
  return info;
}

}  // namespace peal::gateway
