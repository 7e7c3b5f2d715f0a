#include "session/stream_places.hpp"

#include <algorithm>

namespace peal::gateway {

StreamPlaces::StreamPlaces(const StreamOrder& order)
    : channels_(order.channels.size(), kNone),
      cursor_(order.channels.size()),
      unbound_(order.channels.size()) {
  names_.reserve(order.channels.size());
  for (std::size_t i = 0; i < order.channels.size(); ++i) {
    names_.push_back(order.channels[i].name);
    if (order.channels[i].since) cursor_.move(i, *order.channels[i].since);
    if (order.channels[i].ephemeral) cursor_.set_ephemeral(i);
  }
}

void StreamPlaces::bind(std::string_view name, std::uint32_t channel, bool ephemeral) {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return;
  const auto place = static_cast<std::size_t>(found - names_.begin());
  std::ranges::replace(channels_, channel, kNone);  // the number of one that was refused meanwhile
  channels_[place] = channel;
  if (ephemeral) cursor_.set_ephemeral(place);
  found->clear();
  if (--unbound_ == 0) names_ = {};
}

void StreamPlaces::move(std::uint32_t channel, const Position& position) {
  const auto found = std::ranges::find(channels_, channel);
  if (found != channels_.end())
    cursor_.move(static_cast<std::size_t>(found - channels_.begin()), position);
}

FrameRef StreamPlaces::id_line() const {
  std::string line = "id: ";
  cursor_.append_to(line);
  line += '\n';
  return FrameRef::make(line, 0);
}

}  // namespace peal::gateway
