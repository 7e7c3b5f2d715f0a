// Streams: sessions that are an HTTP response of server-sent events. They send no commands; what
// they asked for is their StreamOrder, and its answers come as events.
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {

using State = Connection::State;

void Sessions::open_stream(Connection& connection, const StreamOrder& order) {
  connection.commanded = true;
  if (encoder_.framing(connection.variant) == Framing::sse_tokens)
    connection.cold_part().places = std::make_unique<StreamPlaces>(order);
  for (const StreamOrder::Channel& channel : order.channels) {
    if (connection.state != State::open) return;
    probe_.command_taken(Action::subscribe);
    subscribe(connection, channel.command());
  }
}

void Sessions::stream_subscribed(Connection& connection, std::uint32_t channel,
                                 const SubscribeResult& result) {
  if (StreamPlaces* places = connection.places())
    places->bind(result.channel, channel, !result.position);
  hub_.push(connection, channel, SubscribedPush{&result, result.position});
}

void Sessions::stream_reached(Connection& connection, std::uint32_t channel,
                              const SubscribeResult& result) {
  if (StreamPlaces* places = connection.places())
    places->bind(result.channel, channel, !result.position);
  if (result.position) hub_.append_id(connection, channel, *result.position);
}

void Sessions::refuse_stream(Connection& connection, std::string_view channel, const Error& error) {
  connections_.outlet().append(
      connection, encoder_.push_frame(connection.variant, UnsubscribedPush{channel, &error}));
  if (error.temporary()) on_channel_lost(connection);
}

// It can't ask for one channel again: it comes back, with where it stands, and asks for all.
void Sessions::on_channel_lost(Connection& connection) {
  close(connection, CloseCode::going_away, "a channel can't be served for now: connect again");
}

void Sessions::end_stream(Connection& connection, CloseCode code, std::string_view reason) {
  Outlet& outlet = connections_.outlet();
  // Behind what is dropped, last words would be taken for the end of an event half sent.
  if (code == CloseCode::slow_consumer)
    outlet.drop_unsent(connection);
  else
    outlet.append(connection, encoder_.push_frame(connection.variant, ClosedPush{code, reason}));
  ended(connection);
  connections_.finish(connection);
}

void Sessions::beat(Connection& connection) {
  constexpr std::string_view kComment = ":\n\n";
  if (!heartbeat_) heartbeat_ = FrameRef::make(kComment, 0);
  if (connection.outbox.empty()) connections_.outlet().append(connection, heartbeat_);
  connections_.schedule(connection, config_.limits.ping_interval);
}

}  // namespace peal::gateway
