#include "session/hub.hpp"

#include <algorithm>
#include <utility>

namespace peal::gateway {

Hub::Hub(Slab<Connection>& connections, Outlet& outlet, Encoder& encoder, GatewayProbe& probe,
         const ChannelRules& rules, const Limits& limits, HubOwner& owner)
    : connections_(connections),
      outlet_(outlet),
      encoder_(encoder),
      probe_(probe),
      rules_(rules),
      limits_(limits),
      owner_(owner),
      recoveries_(*this, connections, probe),
      quiet_after_(static_cast<TimerWheel::Tick>(
          std::max<std::int64_t>(limits.position_interval / kTick, 1))) {}

Hub::~Hub() = default;

std::uint32_t Hub::find(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? kNone : found->second;
}

Hub::Channel* Hub::find(bus::Alias alias) {
  if (alias.index >= channels_.size() || generations_[alias.index] != alias.generation)
    return nullptr;
  return channels_[alias.index].get();
}

Hub::Channel& Hub::make(std::string_view name) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(channels_.size()));
    channels_.emplace_back();
    generations_.push_back(1);
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  channels_[number] = std::make_unique<Channel>();
  Channel& channel = *channels_[number];
  channel.name = name;
  channel.number = number;
  const ChannelRule* rule = rules_.find(name);
  channel.droppable = rule != nullptr && rule->slow_consumer == SlowConsumerPolicy::drop_oldest;
  numbers_.emplace(channel.name, number);
  probe_.channel_count_changed(numbers_.size());
  return channel;
}

void Hub::erase(Channel& channel) {
  const std::uint32_t number = channel.number;
  if (!channel.unwatched) port_->unwatch(alias_of(channel));
  quiet_.cancel(number);
  numbers_.erase(channel.name);
  ++generations_[number];
  free_.push_back(number);
  channels_[number].reset();
  probe_.channel_count_changed(numbers_.size());
}

Hub::Channel& Hub::open(std::string_view name) {
  const std::uint32_t found = find(name);
  Channel& channel = found == kNone ? make(name) : *channels_[found];
  if (channel.unwatched) ++generations_[channel.number];  // refused this turn: try anew
  if (found == kNone || channel.unwatched) {
    channel.unwatched = channel.live = channel.reading =
        false;  // a read under way was the old one's
    port_->watch(alias_of(channel), channel.name);
  }
  return channel;
}

std::uint32_t Hub::join(Connection& connection, std::string_view name) {
  Channel& channel = open(name);
  const std::uint32_t slot = connection.subscriptions.add(
      {channel.number, static_cast<std::uint32_t>(channel.members.size())});
  channel.members.push_back({connection.index, slot});
  ++channel.variant_members[connection.variant];
  probe_.subscription_count_changed(++subscriptions_);
  return channel.number;
}

std::uint32_t Hub::slot_of(Connection& connection, std::uint32_t channel) {
  const auto all = connection.subscriptions.all();
  for (std::uint32_t slot = 0; slot < all.size(); ++slot)
    if (all[slot].channel == channel) return slot;
  return kNone;
}

void Hub::leave(Connection& connection, std::uint32_t slot) {
  const Subscription subscription = connection.subscriptions[slot];
  Channel& channel = *channels_[subscription.channel];
  owner_.on_left(connection, subscription.channel);
  if (subscription.aside()) {
    take_from_aside(channel, subscription.recovery());
  } else {
    take_from_members(channel, subscription.place);
    --channel.variant_members[connection.variant];
  }
  compact_later(channel);
  const std::uint32_t moved = connection.subscriptions.remove(slot);
  if (moved != slot) {
    const Subscription other = connection.subscriptions[slot];
    if (other.aside())
      recoveries_.move_slot(other.recovery(), slot);
    else
      channels_[other.channel]->members[other.place].slot = slot;
  }
  probe_.subscription_count_changed(--subscriptions_);
}

void Hub::take_from_members(Channel& channel, std::uint32_t place) {
  channel.members[place].connection = kNone;
  ++channel.left;
}

void Hub::compact_later(Channel& channel) {
  if (channel.to_compact) return;
  channel.to_compact = true;
  to_compact_.push_back(channel.number);
}

void Hub::leave_all(Connection& connection) {
  while (connection.subscriptions.size() > 0)
    leave(connection, connection.subscriptions.size() - 1);
}

void Hub::compact() {
  for (const std::uint32_t number : to_compact_) {
    Channel& channel = *channels_[number];
    channel.to_compact = false;
    if (channel.subscribers() == 0 && channel.followers.empty()) {
      erase(channel);
      continue;
    }
    std::uint32_t keep = 0;
    for (const Member member : channel.members) {
      if (member.connection == kNone) continue;
      connections_.at(member.connection).subscriptions[member.slot].place = keep;
      channel.members[keep++] = member;
    }
    channel.members.resize(keep);
    channel.left = 0;
    if (channel.members.capacity() > 64 && keep < channel.members.capacity() / 4)
      channel.members.shrink_to_fit();
  }
  to_compact_.clear();
}

std::optional<Position> Hub::position(std::uint32_t number) const {
  const Channel& channel = *channels_[number];
  if (!channel.feed) return std::nullopt;
  return Position{channel.feed->epoch(), {channel.feed->next().value - 1}};
}

void Hub::wait(std::uint32_t channel, WaitingSubscribe waiting) {
  channels_[channel]->waiting.push_back(waiting);
}

void Hub::gather(Channel& channel, std::uint32_t delivery) {
  next_due_[delivery] = kNone;
  if (channel.last_due == kNone) {
    channel.first_due = delivery;
    touched_.push_back(channel.number);
  } else {
    next_due_[channel.last_due] = delivery;
  }
  channel.last_due = delivery;
}

void Hub::on_batch(std::span<const bus::Delivery> deliveries) {
  using Step = bus::Feed::Step;
  touched_.clear();
  next_due_.resize(deliveries.size());
  for (std::uint32_t i = 0; i < deliveries.size(); ++i) {
    const bus::Delivery& delivery = deliveries[i];
    Channel* channel = find(delivery.alias);
    if (channel == nullptr) continue;
    if (channel->feed && delivery.publication.offset.value != 0) {
      const Step step = channel->feed->on_publication(delivery.epoch, delivery.publication.offset);
      if (step == Step::drop) continue;
      if (step == Step::hole) {
        read_hole(*channel);
        continue;
      }
      if (step == Step::reset) {
        send_due(*channel, deliveries);
        const Offset before{delivery.publication.offset.value - 1};
        reset(*channel, {delivery.epoch, before, before});
        channel->feed->advance(delivery.publication.offset);
      }
      if (channel->tail) [[unlikely]] {
        channel->tail->add(delivery.publication);
        recoveries_.moved(channel->number);
      }
    }
    if (channel->present() > 0 || !channel->followers.empty()) gather(*channel, i);
  }
  for (const std::uint32_t number : touched_)
    if (channels_[number]) send_due(*channels_[number], deliveries);
}

void Hub::send_due(Channel& channel, std::span<const bus::Delivery> deliveries) {
  const std::uint32_t first = std::exchange(channel.first_due, kNone);
  channel.last_due = kNone;
  if (first == kNone) return;
  if (channel.feed) spoke(channel);
  for (std::uint8_t variant = 0; variant < encoder_.variants(); ++variant) {
    if (channel.variant_members[variant] == 0) continue;
    scratch_.clear();
    std::uint32_t messages = 0;
    const bool each_alone = encoder_.framing(variant) == Framing::sse_tokens;
    for (std::uint32_t i = first; i != kNone; i = next_due_[i]) {
      const MessagePush push{channel.name, &deliveries[i].publication, {}, deliveries[i].epoch};
      encoder_.append_push(scratch_, variant, push);
      ++messages;
      if (!each_alone && scratch_.size() < kFrameBytes && next_due_[i] != kNone) continue;
      probe_.encoded(messages);
      send_frame(channel, variant, FrameRef::make(scratch_, messages), position_after(push));
      scratch_.clear();
      messages = 0;
    }
  }
  if (!channel.followers.empty()) tell_due(channel, first, deliveries);
}

void Hub::send_frame(Channel& channel, std::uint8_t variant, const FrameRef& frame,
                     const std::optional<Position>& reached) {
  if (encoder_.framing(variant) == Framing::sse_tokens)
    fan_out_with_ids(channel, variant, frame, reached);
  else
    fan_out(channel, variant, frame);
}

void Hub::fan_out(Channel& channel, std::uint8_t variant, const FrameRef& frame) {
  constexpr std::size_t kAhead = 6;
  const std::size_t count = channel.members.size();
  const Member* members = channel.members.data();
  const bool all = only_variant(channel, variant);
  const Frame* raw = frame.get();
  // One reference for each member beforehand, so that the count is touched once for all of them.
  raw->retain(static_cast<std::uint32_t>(count));
  std::uint32_t taken = 0;
  std::uint32_t delivered = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count && members[i + kAhead].connection != kNone)
      __builtin_prefetch(&connections_.at(members[i + kAhead].connection), 1);
    if (members[i].connection == kNone) continue;
    Connection& connection = connections_.at(members[i].connection);
    if (!all && connection.variant != variant) continue;
    ++taken;
    if (outlet_.append(connection, raw, channel.droppable) != SendStatus::dropped) ++delivered;
  }
  for (std::size_t i = taken; i < count; ++i)
    raw->release();
  probe_.delivered(std::uint64_t{delivered} * raw->messages());
}

void Hub::push_all(Channel& channel, const Push& push) {
  const std::uint32_t messages = std::holds_alternative<MessagePush>(push) ? 1 : 0;
  for (std::uint8_t variant = 0; variant < encoder_.variants(); ++variant) {
    if (channel.variant_members[variant] == 0) continue;
    probe_.encoded(messages);
    send_frame(channel, variant, encoder_.push_frame(variant, push, messages),
               position_after(push));
  }
}

void Hub::fan_out_with_ids(Channel& channel, std::uint8_t variant, const FrameRef& frame,
                           const std::optional<Position>& reached) {
  std::uint64_t delivered = 0;
  for (std::size_t i = 0; i < channel.members.size(); ++i) {
    if (channel.members[i].connection == kNone) continue;
    Connection& connection = connections_.at(channel.members[i].connection);
    if (connection.variant != variant) continue;
    if (reached) append_id(connection, channel.number, *reached);
    frame->retain();
    if (outlet_.append(connection, frame.get(), channel.droppable) != SendStatus::dropped)
      ++delivered;
  }
  probe_.delivered(delivered * frame->messages());
}

void Hub::append_id(Connection& connection, std::uint32_t channel, const Position& position) {
  StreamPlaces* places = connection.places();
  if (places == nullptr) return;
  places->move(channel, position);
  outlet_.append(connection, places->id_line());
}

void Hub::push(Connection& connection, std::uint32_t channel, const Push& push) {
  const std::uint32_t messages = std::holds_alternative<MessagePush>(push) ? 1 : 0;
  const auto reached = position_after(push);
  if (reached) append_id(connection, channel, *reached);
  outlet_.append(connection, encoder_.push_frame(connection.variant, push, messages));
}

void Hub::list(std::string_view after, const NameFilter& wanted, std::size_t limit,
               std::map<std::string, std::size_t>& subscribers) const {
  std::vector<std::pair<std::string_view, std::size_t>> found;
  for (const auto& [name, number] : numbers_) {
    const std::size_t present = channels_[number]->subscribers();
    if (present > 0 && name > after && wanted(name)) found.emplace_back(name, present);
  }
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(limit, found.size()));
  std::partial_sort(found.begin(), end, found.end());
  for (auto at = found.begin(); at != end; ++at)
    subscribers[std::string(at->first)] += at->second;
}

}  // namespace peal::gateway
