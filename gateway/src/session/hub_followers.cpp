// The Hub's side of followers: who waits for a channel to move, without being a session.
#include <utility>

#include "session/hub.hpp"

namespace peal::gateway {
namespace {

FollowId id_of(std::uint32_t index, std::uint32_t generation) {
  return ((FollowId{generation} << 32) | index) + 1;
}

}  // namespace

FollowId Hub::add_follower(Follower& follower) {
  const std::uint32_t index = followings_.emplace(Following{&follower});
  return id_of(index, followings_.generation(index));
}

Hub::Following* Hub::following(FollowId id) {
  return followings_.find(static_cast<std::uint32_t>(id - 1),
                          static_cast<std::uint32_t>((id - 1) >> 32));
}

void Hub::follow(FollowId id, std::string_view name) {
  Following* found = following(id);
  if (found == nullptr) return;
  Channel& channel = open(name);
  found->channel = channel.number;
  found->place = static_cast<std::uint32_t>(channel.followers.size());
  channel.followers.push_back(id);
  if (channel.live) found->follower->on_position(position(channel.number));
}

void Hub::unfollow(FollowId id) {
  Following* found = following(id);
  if (found == nullptr) return;
  if (found->channel != kNone) {
    Channel& channel = *channels_[found->channel];
    const FollowId last = channel.followers.back();
    channel.followers[found->place] = last;
    following(last)->place = found->place;
    channel.followers.pop_back();
    if (channel.followers.empty()) {
      channel.followers.shrink_to_fit();
      compact_later(channel);
    }
  }
  followings_.erase(static_cast<std::uint32_t>(id - 1));
}

// A copy is walked, since any follower may leave meanwhile.
template <class Tell>
void Hub::tell_followers(const Channel& channel, Tell&& tell) {
  const std::vector<FollowId> all = channel.followers;
  for (const FollowId id : all)
    if (const Following* one = following(id)) tell(*one->follower);
}

void Hub::tell_position(const Channel& channel) {
  if (channel.followers.empty()) return;
  const std::optional<Position> now = position(channel.number);
  tell_followers(channel, [&](Follower& follower) { follower.on_position(now); });
}

void Hub::tell_due(const Channel& channel, std::uint32_t first,
                   std::span<const bus::Delivery> deliveries) {
  if (channel.feed) return tell_position(channel);
  for (std::uint32_t i = first; i != kNone; i = next_due_[i])
    tell_followers(channel,
                   [&](Follower& follower) { follower.on_publication(deliveries[i].publication); });
}

void Hub::refuse_followers(Channel& channel, const Error& error) {
  if (channel.followers.empty()) return;
  compact_later(channel);
  const std::vector<FollowId> all = std::exchange(channel.followers, {});
  for (const FollowId id : all)
    following(id)->channel = kNone;
  for (const FollowId id : all)
    refuse_follower(id, error);
}

void Hub::refuse_follower(FollowId id, const Error& error) {
  const Following* one = following(id);
  if (one == nullptr) return;
  Follower* follower = one->follower;
  followings_.erase(static_cast<std::uint32_t>(id - 1));
  follower->on_refused(error);
}

}  // namespace peal::gateway
