// The Hub's side of recoveries, and of channels that fell silent.
#include <algorithm>
#include <utility>

#include "session/hub.hpp"

namespace peal::gateway {

void Hub::recover(Connection& connection, std::uint32_t slot, const Since& since,
                  std::optional<std::uint64_t> id) {
  Subscription& subscription = connection.subscriptions[slot];
  Channel& channel = *channels_[subscription.channel];
  if (subscription.aside()) {
    recoveries_.forget(subscription.recovery());
  } else {
    take_from_members(channel, subscription.place);
    --channel.variant_members[connection.variant];
    compact_later(channel);
    ++channel.recovering;
  }
  if (!channel.tail) channel.tail = std::make_unique<Tail>(top(channel.number), limits_);
  subscription.place =
      Subscription::kAside | recoveries_.start({connection.index, slot, channel.number, since, id});
}

std::optional<Position> Hub::recovering_at(const Subscription& subscription) const {
  if (!subscription.aside()) return std::nullopt;
  return Position{top(subscription.channel).epoch, recoveries_.at(subscription.recovery())};
}

void Hub::take_from_aside(Channel& channel, std::uint32_t recovery) {
  recoveries_.forget(recovery);
  if (--channel.recovering == 0) channel.tail.reset();
}

void Hub::go_live(Connection& connection, std::uint32_t slot) {
  Subscription& subscription = connection.subscriptions[slot];
  Channel& channel = *channels_[subscription.channel];
  take_from_aside(channel, subscription.recovery());
  subscription.place = static_cast<std::uint32_t>(channel.members.size());
  channel.members.push_back({connection.index, slot});
  ++channel.variant_members[connection.variant];
}

Position Hub::top(std::uint32_t channel) const {
  const bus::Feed& feed = *channels_[channel]->feed;
  return {feed.epoch(), {feed.next().value - 1}};
}

void Hub::learn(std::uint32_t number, const bus::Page& page) {
  Channel& channel = *channels_[number];
  if (page.head.epoch != channel.feed->epoch() || page.after >= channel.feed->next() ||
      page.to < channel.feed->next())
    return;
  deliver_page(channel, page);
  moved(channel);
}

void Hub::fail(Connection& connection, std::uint32_t slot, std::optional<std::uint64_t> id,
               const Error& error) {
  const Subscription subscription = connection.subscriptions[slot];
  const bool unanswered_yet = unanswered(subscription);
  const std::string name = channels_[subscription.channel]->name;
  leave(connection, slot);
  if (unanswered_yet) return owner_.on_recovery_failed(connection, name, id, error);
  outlet_.append(connection,
                 encoder_.push_frame(connection.variant, UnsubscribedPush{name, &error}));
  if (error.temporary() && encoder_.sse(connection.variant)) owner_.on_channel_lost(connection);
}

void Hub::send(Connection& connection, std::uint32_t number, CarriedPage& page) {
  const std::string_view name = channels_[number]->name;
  if (encoder_.framing(connection.variant) == Framing::sse_tokens) {
    page.each_push(name, [&](const Push& each) { push(connection, number, each); });
  } else if (const FrameRef& frame = page.messages(encoder_, connection.variant, name)) {
    outlet_.append(connection, frame);
  }
}

void Hub::tick(std::chrono::milliseconds now) {
  now_ = static_cast<TimerWheel::Tick>(now / kTick);
  quiet_.advance(now_, [&](std::uint32_t number) {
    Channel& channel = *channels_[number];
    const TimerWheel::Tick silent = now_ - channel.spoken;
    if (silent < quiet_after_) return quiet_.schedule(number, channel.spoken + quiet_after_);
    if (!channel.live || !channel.feed) return;
    const Position position = top(number);
    push_all(channel, PositionPush{channel.name, position.offset, position.epoch});
  });
}

std::chrono::milliseconds Hub::until_next_deadline(std::chrono::milliseconds longest) const {
  const auto most = static_cast<TimerWheel::Tick>(longest / kTick);
  return std::min(longest, kTick * (quiet_.ticks_to_next(now_ + 1, most) + 1));
}

}  // namespace peal::gateway
