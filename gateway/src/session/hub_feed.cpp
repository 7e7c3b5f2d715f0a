// The Hub's side of the log: answers to watches, holes, resets.
#include <utility>

#include "session/hub.hpp"

namespace peal::gateway {

void Hub::on_heads(std::span<const bus::HeadNotice> heads) {
  using Step = bus::Feed::Step;
  for (const bus::HeadNotice& notice : heads) {
    Channel* channel = find(notice.alias);
    if (channel == nullptr) continue;
    if (!channel->live || notice.error) {
      on_answer(*channel, notice);
      continue;
    }
    if (!notice.head) continue;
    if (!channel->feed) {
      // It was ephemeral and keeps a log now: subscribers learn where it starts.
      reset(*channel, *notice.head);
      continue;
    }
    const Step step = channel->feed->on_head(*notice.head);
    if (step == Step::reset) reset(*channel, *notice.head);
    if (step == Step::hole) read_hole(*channel);
    moved(*channel);
  }
}

void Hub::on_answer(Channel& channel, const bus::HeadNotice& notice) {
  if (notice.error) {
    channel.unwatched = true;
    if (channel.live) push_all(channel, UnsubscribedPush{channel.name, &*notice.error});
    return refuse(channel, *notice.error);
  }
  if (notice.head) channel.feed.emplace(*notice.head);
  channel.live = true;
  const std::vector<WaitingSubscribe> waiting = std::exchange(channel.waiting, {});
  owner_.on_watch_answered(channel.number, waiting, nullptr);
  tell_position(channel);
}

// Members go before anyone is told, so that a new subscribe starts from nothing.
void Hub::refuse(Channel& channel, const Error& error) {
  const std::vector<WaitingSubscribe> waiting = std::exchange(channel.waiting, {});
  for (std::size_t i = 0; i < channel.members.size(); ++i) {
    if (channel.members[i].connection == kNone) continue;
    Connection& connection = connections_.at(channel.members[i].connection);
    leave(connection, channel.members[i].slot);
    if (channel.live && error.temporary() && encoder_.sse(connection.variant))
      owner_.on_channel_lost(connection);
  }
  recoveries_.refuse(channel.number, error);
  owner_.on_watch_answered(channel.number, waiting, &error);
  refuse_followers(channel, error);
}

void Hub::refuse_waiting(const Error& error) {
  for (std::size_t i = 0; i < channels_.size(); ++i)
    if (channels_[i] && !channels_[i]->live) refuse(*channels_[i], error);
}

void Hub::reset(Channel& channel, const Head& head) {
  probe_.feed_reset();
  channel.feed.emplace(head);
  push_all(channel, ResetPush{channel.name, head.position()});
  tell_position(channel);
  spoke(channel);
  if (!channel.tail) return;
  channel.tail = std::make_unique<Tail>(head.position(), limits_);
  recoveries_.reset(channel.number, head.position());
}

void Hub::read_hole(Channel& channel) {
  if (channel.reading) return;
  channel.reading = true;
  probe_.feed_repaired();
  const bus::Alias alias = alias_of(channel);
  bus::ReadRequest request;
  request.id = kReadBit | (bus::RequestId{alias.generation & 0x7fffffff} << 32) | alias.index;
  request.channel = channel.name;
  request.epoch = channel.feed->epoch();
  request.after = {channel.feed->next().value - 1};
  port_->read(request);
}

void Hub::on_page(const bus::Page& page) {
  if ((page.id & kReadBit) == 0) return;
  const auto number = static_cast<std::uint32_t>(page.id);
  const auto generation = static_cast<std::uint32_t>(page.id >> 32) & 0x7fffffff;
  if (number >= channels_.size() || !channels_[number] ||
      (generations_[number] & 0x7fffffff) != generation)
    return;
  Channel& channel = *channels_[number];
  channel.reading = false;
  if (!channel.feed) return;
  if (page.error && page.error->code != ErrorCode::position_lost)
    return;  // the next head asks again
  const Position since{channel.feed->epoch(), {channel.feed->next().value - 1}};
  if (page.error || !page.head.covers(since)) {
    reset(channel, page.head);
    return;
  }
  deliver_page(channel, page);
  moved(channel);
  if (channel.feed->next() <= page.head.top) read_hole(channel);
}

void Hub::deliver_page(Channel& channel, const bus::Page& page) {
  for (const PublicationView& publication : page.publications) {
    const Offset expected = channel.feed->next();
    if (publication.offset < expected) continue;
    std::optional<Offset> after;
    if (publication.offset > expected) after = Offset{publication.offset.value - 1};
    channel.feed->advance(publication.offset);
    if (channel.tail) channel.tail->add(publication);
    push_all(channel, MessagePush{channel.name, &publication, after, channel.feed->epoch()});
  }
  if (page.to >= channel.feed->next()) {
    channel.feed->advance(page.to);
    if (channel.tail) channel.tail->cover(page.to);
    push_all(channel, PositionPush{channel.name, page.to, channel.feed->epoch()});
  }
  tell_position(channel);
  spoke(channel);
}

}  // namespace peal::gateway
