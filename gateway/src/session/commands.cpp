// What a session's commands do, but for publishing.
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {
namespace {

Error not_available(std::string_view what) {
  return fail(ErrorCode::action_unknown, std::string(what) + " is not available yet");
}

/// The name under which a connect hook's answer is due: no channel has it.
constexpr std::string_view kConnect;

}  // namespace

void Sessions::reply(Connection& connection, std::optional<std::uint64_t> id,
                     const ReplyBody& body) {
  if (!id) return;
  connections_.outlet().append(connection, encoder_.reply_frame(connection.variant, *id, body));
}

void Sessions::fail_command(Connection& connection, std::optional<std::uint64_t> id,
                            const Error& error, std::string_view channel) {
  probe_.failed(error.code);
  if (id) return reply(connection, id, error);
  if (encoder_.sse(connection.variant)) return refuse_stream(connection, channel, error);
  connections_.outlet().append(connection,
                               encoder_.push_frame(connection.variant, ErrorPush{&error}));
}

void Sessions::answered(Connection& connection) {
  --connection.unanswered;
  connections_.resume(connection);
}

bool Sessions::flooding(Connection& connection) {
  const std::size_t most = config_.limits.commands_per_second_max;
  if (most == 0) return false;
  if (connection.rate_second != connections_.now_s()) {
    connection.rate_second = connections_.now_s();
    connection.commands_in_second = 0;
    connection.controls_in_second = 0;
  }
  return ++connection.commands_in_second > most;
}

void Sessions::on_message(Connection& connection, std::string_view text) {
  const bool flood = flooding(connection);
  auto wrong = encoder_.protocol(connection.variant).decode(text, command_);
  if (flood)
    return fail_command(connection, wrong ? wrong->id : command_.id,
                        fail(ErrorCode::publish_rate_max,
                             "more commands a second than limits.commands_per_second_max"));
  if (wrong) return fail_command(connection, wrong->id, wrong->error);
  if (must_wait(connection, command_)) {
    Connection::Cold& cold = connection.cold_part();
    cold.stalled = text;
    cold.has_stalled = true;
    return;
  }
  execute(connection, command_);
}

void Sessions::on_resumed(Connection& connection) {
  std::string text = std::exchange(connection.cold->stalled, {});
  const bool broken = encoder_.protocol(connection.variant).decode(text, command_).has_value();
  if (!broken && must_wait(connection, command_)) {
    connection.cold->stalled = std::move(text);
    return;
  }
  connection.cold->has_stalled = false;
  if (!broken) execute(connection, command_);
}

bool Sessions::busy(Connection& connection, std::string_view channel) {
  if (connection.subscribes_waiting > 0) {
    const std::uint32_t number = hub_.find(channel);
    const std::uint32_t slot = number == Hub::kNone ? number : Hub::slot_of(connection, number);
    if (slot != Hub::kNone &&
        (!hub_.live(number) || hub_.unanswered(connection.subscriptions[slot])))
      return true;
  }
  if (!connection.cold) return false;
  for (const std::string& asked : connection.cold->asked)
    if (asked == channel || asked == kConnect) return true;
  return false;
}

bool Sessions::must_wait(Connection& connection, const Command& command) {
  if (connection.unanswered == 0) return false;
  if (command.action == Action::subscribe || command.action == Action::unsubscribe ||
      command.action == Action::history)
    return connection.publishes_unanswered > 0 || busy(connection, command.channel);
  for (const std::string_view channel : command.channels)
    if (busy(connection, channel)) return true;
  return busy(connection, command.channel);
}

void Sessions::execute(Connection& connection, const Command& command) {
  probe_.command_taken(command.action);
  const bool first = !connection.commanded;
  connection.commanded = true;
  switch (command.action) {
    case Action::connect:
      if (!first)
        return fail_command(connection, command.id,
                            fail(ErrorCode::command_invalid, "connect comes first, once"));
      return connect(connection, command);
    case Action::subscribe:
      return subscribe(connection, command);
    case Action::unsubscribe:
      return unsubscribe(connection, command);
    case Action::publish:
      return command.channels.empty() ? publish(connection, command)
                                      : publish_many(connection, command);
    case Action::ping:
      return reply(connection, command.id, PingResult{});
    case Action::history:
      return history(connection, command);
    case Action::presence:
      return list_presence(connection, command);
    case Action::refresh:
      return fail_command(connection, command.id, not_available("refresh"));
  }
}

void Sessions::connect(Connection& connection, const Command& command) {
  if (!command.token.empty() && !config_.hooks.connect) {
    auto shown = config_.authenticate
                     ? config_.authenticate(*connection.principal, command.token)
                     : fail(ErrorCode::token_invalid, "no keys are configured here");
    if (!shown) {
      fail_command(connection, command.id, shown.error());
      return close(connection, CloseCode::token_invalid, "the token is not known here");
    }
    connection.principal = std::move(*shown);
  }
  if (!config_.hooks.connect) return welcome(connection, command.id, command.heartbeat);
  ConnectQuestion question{connection.principal, ref(connection), std::string(command.token)};
  ask_for(
      connection, command.id, kConnect,
      [&](HookCompletion completion) { config_.hooks.connect(question, std::move(completion)); },
      [this, id = command.id, heartbeat = command.heartbeat](
          Connection& session, std::shared_ptr<const Principal> principal) {
        if (principal) session.principal = std::move(principal);
        welcome(session, id, heartbeat);
      });
}

void Sessions::ask_connect(const std::shared_ptr<const Principal>& principal,
                           std::string_view token, ConnectDone done) {
  ConnectQuestion question{principal, SessionRef(), std::string(token)};
  ask([&](HookCompletion completion) { config_.hooks.connect(question, std::move(completion)); },
      std::move(done));
}

void Sessions::welcome(Connection& connection, std::optional<std::uint64_t> id, bool heartbeat) {
  connection.heartbeat = heartbeat;
  const std::string session = id_of(connection);
  reply(connection, id,
        ConnectResult{session, config_.gateway_name, config_.limits.ping_interval.count(),
                      config_.limits_json});
}

void Sessions::subscribe(Connection& connection, const Command& command) {
  const auto refuse = [&](const Error& error) {
    fail_command(connection, command.id, error, command.channel);
  };
  if (!command.filter.empty()) return refuse(not_available("filter"));
  if (auto error = config_.rules->may_subscribe(*connection.principal, command.channel))
    return refuse(*error);
  if (auto error = presence_refusal(connection, command)) return refuse(*error);
  std::optional<std::string_view> presence;
  if (command.presence) presence = command.data;
  const Since since = since_of(command);
  if (!config_.hooks.subscribe)
    return join(connection, command.channel, command.id, since, presence);
  SubscribeQuestion question{connection.principal, ref(connection), std::string(command.channel)};
  ask_for(
      connection, command.id, command.channel,
      [&](HookCompletion completion) { config_.hooks.subscribe(question, std::move(completion)); },
      [this, channel = std::string(command.channel), id = command.id, since,
       has_presence = command.presence, data = std::string(command.data)](
          Connection& session, const std::shared_ptr<const Principal>&) {
        std::optional<std::string_view> its_presence;
        if (has_presence) its_presence = data;
        join(session, channel, id, since, its_presence);
      });
}

void Sessions::join(Connection& connection, std::string_view channel,
                    std::optional<std::uint64_t> id, const Since& since,
                    const std::optional<std::string_view>& presence) {
  const std::uint32_t known = hub_.find(channel);
  if (known != Hub::kNone && Hub::slot_of(connection, known) != Hub::kNone) {
    if (presence) rooms_.add(connection, known, hub_.alias(known), channel, *presence);
    return subscribed(connection, known, id, since);
  }
  if (!bus_state_.linked)
    return fail_command(connection, id,
                        fail(ErrorCode::broker_unavailable, "no broker can be reached"), channel);
  if (connection.subscriptions.size() >= config_.limits.subscriptions_max)
    return fail_command(connection, id,
                        fail(ErrorCode::subscriptions_max,
                             "the session has limits.subscriptions_max subscriptions"),
                        channel);
  const std::uint32_t number = hub_.join(connection, channel);
  if (presence) rooms_.add(connection, number, hub_.alias(number), channel, *presence);
  if (hub_.live(number)) return subscribed(connection, number, id, since);
  ++connection.unanswered;
  ++connection.subscribes_waiting;
  hub_.wait(number, {connection.index, connections_.generation(connection), id, since});
}

// The channel is live here. Who asked for the past and may have missed something catches up first.
void Sessions::subscribed(Connection& connection, std::uint32_t channel,
                          std::optional<std::uint64_t> id, const Since& since) {
  using Kind = Since::Kind;
  const std::uint32_t slot = Hub::slot_of(connection, channel);
  const std::optional<Position> top = hub_.position(channel);
  const bool positioned = since.kind == Kind::position;
  const bool missed_nothing = positioned && top && *top == since.position;
  const bool lost = positioned && (!top || top->epoch != since.position.epoch);
  if (top && since.kind != Kind::none && !missed_nothing && !lost) {
    ++connection.unanswered;
    ++connection.subscribes_waiting;
    return hub_.recover(connection, slot, since, id);
  }
  SubscribeResult result{hub_.name(channel), top, {}, {}};
  if (since.kind != Kind::none)
    hub_.stop_recovering(connection, slot);
  else if (const auto at = hub_.recovering_at(connection.subscriptions[slot]))
    result.position = at;
  if (positioned) result.recovered = missed_nothing;
  if (lost) probe_.recovery_lost();
  tell_subscribed(connection, channel, id, result);
}

void Sessions::tell_subscribed(Connection& connection, std::uint32_t channel,
                               std::optional<std::uint64_t> id, const SubscribeResult& result,
                               CarriedPage* page) {
  const bool stream = encoder_.sse(connection.variant);
  if (page != nullptr && (id || stream)) {
    if (stream) stream_reached(connection, channel, result);
    const FrameRef& list = page->list(encoder_, connection.variant);
    connections_.outlet().append(connection,
                                 encoder_.result_frames(connection.variant, id, result, list));
  } else if (stream) {
    stream_subscribed(connection, channel, result);
  } else if (id) {
    reply(connection, id, result);
  } else if (page != nullptr) {
    hub_.send(connection, channel, *page);
  } else if (result.recovered == false && result.position) {
    hub_.push(connection, channel, ResetPush{result.channel, *result.position});
  }
  rooms_.start(connection, channel);
}

void Sessions::on_recovered(Connection& connection, const Recovered& recovered) {
  const SubscribeResult result{
      hub_.name(recovered.channel), recovered.position, recovered.recovered, {}};
  --connection.subscribes_waiting;
  tell_subscribed(connection, recovered.channel, recovered.id, result, recovered.page);
  answered(connection);
}

void Sessions::on_recovery_failed(Connection& connection, std::string_view channel,
                                  std::optional<std::uint64_t> id, const Error& error) {
  --connection.subscribes_waiting;
  fail_command(connection, id, error, channel);
  answered(connection);
}

void Sessions::on_watch_answered(std::uint32_t channel, std::span<const WaitingSubscribe> waiting,
                                 const Error* error) {
  for (const WaitingSubscribe& one : waiting) {
    Connection* connection = connections_.find(one.connection, one.generation);
    if (connection == nullptr || connection->state != Connection::State::open) continue;
    --connection->subscribes_waiting;
    if (error != nullptr)
      fail_command(*connection, one.id, *error, hub_.name(channel));
    else
      subscribed(*connection, channel, one.id, one.since);
    answered(*connection);
  }
}

void Sessions::on_state(const bus::BusState& state) {
  bus_state_ = state;
  if (!state.linked)
    hub_.refuse_waiting(fail(ErrorCode::broker_unavailable, "the broker was lost meanwhile"));
}

void Sessions::unsubscribe(Connection& connection, const Command& command) {
  const std::uint32_t number = hub_.find(command.channel);
  const std::uint32_t slot = number == Hub::kNone ? number : Hub::slot_of(connection, number);
  if (slot != Hub::kNone) hub_.leave(connection, slot);
  reply(connection, command.id, UnsubscribeResult{command.channel});
}

}  // namespace peal::gateway
