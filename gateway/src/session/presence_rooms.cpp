#include "session/presence_rooms.hpp"

#include <array>
#include <utility>

namespace peal::gateway {

using What = bus::PresenceEvent::What;

PresenceRooms::PresenceRooms(Slab<Connection>& connections, Outlet& outlet, Encoder& encoder,
                             GatewayProbe& probe, const Limits& limits, IdOf id_of)
    : connections_(connections),
      outlet_(outlet),
      encoder_(encoder),
      probe_(probe),
      limits_(limits),
      id_of_(std::move(id_of)) {}

PresenceRooms::~PresenceRooms() = default;

void PresenceRooms::add(const Connection& connection, std::uint32_t channel, bus::Alias alias,
                        std::string_view name, std::string_view data) {
  Room& room = rooms_[channel];
  if (room.listeners.empty()) {
    room.name = name;
    room.alias = alias;
  }
  const auto [at, added] = room.listeners.try_emplace(connection.index);
  Listener& listener = at->second;
  const bool other = !added && listener.data != data;
  listener.data = data;
  if (other && listener.state != State::added) enter(room, connection, listener);
  if (added) probe_.listener_count_changed(++listeners_);
}

void PresenceRooms::start(const Connection& connection, std::uint32_t channel) {
  const auto found = rooms_.find(channel);
  if (found == rooms_.end()) return;
  Room& room = found->second;
  const auto listener = room.listeners.find(connection.index);
  if (listener == room.listeners.end() || listener->second.state != State::added) return;
  enter(room, connection, listener->second);
  move(room, listener->second, State::entered);
  ask(channel, room);
}

void PresenceRooms::remove(const Connection& connection, std::uint32_t channel) {
  const auto found = rooms_.find(channel);
  if (found == rooms_.end()) return;
  Room& room = found->second;
  const auto listener = room.listeners.find(connection.index);
  if (listener == room.listeners.end()) return;
  if (listener->second.state != State::added) port_->leave(room.alias, id_of_(connection));
  move(room, listener->second, State::added);
  room.listeners.erase(listener);
  probe_.listener_count_changed(--listeners_);
  if (!room.listeners.empty()) return;
  questions_.erase(room.question);
  rooms_.erase(found);
}

void PresenceRooms::move(Room& room, Listener& listener, State to) {
  if (listener.state == State::entered) --room.waiting;
  if (listener.state == State::told) --room.told;
  listener.state = to;
  if (to == State::entered) ++room.waiting;
  if (to == State::told) ++room.told;
}

void PresenceRooms::enter(Room& room, const Connection& connection, Listener& listener) {
  const std::string session = id_of_(connection);
  port_->enter(room.alias, {session, connection.principal->user, listener.data});
}

// One question of a room is under way at a time; who comes meanwhile is in the next one.
void PresenceRooms::ask(std::uint32_t channel, Room& room) {
  if (room.asking != Asking::nothing || (room.waiting == 0 && !room.recheck)) return;
  room.asking = room.waiting != 0 || room.doubtful ? Asking::set : Asking::digest;
  room.recheck = false;
  if (room.waiting != 0) {
    for (auto& [index, listener] : room.listeners)
      if (listener.state == State::entered) move(room, listener, State::asked);
  }
  room.question = ++next_question_ | kRoomBit;
  questions_.emplace(room.question, channel);
  bus::PresenceRequest request;
  request.id = room.question;
  request.channel = room.name;
  request.limit = room.asking == Asking::set ? limits_.presence_page_max : 0;
  port_->presence(request);
}

bool PresenceRooms::on_answer(const bus::PresenceAnswer& answer) {
  if ((answer.id & kRoomBit) == 0) return false;
  const auto question = questions_.find(answer.id);
  if (question == questions_.end()) return true;
  const std::uint32_t channel = question->second;
  questions_.erase(question);
  Room& room = rooms_.at(channel);
  const Asking asked = std::exchange(room.asking, Asking::nothing);
  if (answer.error) {
    give_up(room, *answer.error);
    return true;
  }
  if (asked == Asking::set) {
    take_set(room, answer);
  } else if (answer.settled && answer.digest != room.digest) {
    room.doubtful = room.recheck = true;
  }
  ask(channel, room);
  return true;
}

void PresenceRooms::take_set(Room& room, const bus::PresenceAnswer& answer) {
  const PresencePush set{room.name, PresenceResult(answer)};
  const bool first = room.told == 0;
  const bool other = first || room.doubtful || answer.digest != room.digest;
  // Who was told before hears it only when it is another one, and known to be all of it.
  if (!first && other && answer.settled) push(room, State::told, set);
  push(room, State::asked, set);
  for (auto& [index, listener] : room.listeners)
    if (listener.state == State::asked) move(room, listener, State::told);
  if (first || answer.settled) {
    room.digest = answer.digest;
    room.doubtful = false;
  } else {
    room.doubtful = other;
  }
}

// The bus is lost: the next answer to the watch starts anew. The core keeps no presence here, or is
// too old for it: they are told, once.
void PresenceRooms::give_up(Room& room, const Error& error) {
  const bool later = error.temporary();
  if (!later) push(room, State::asked, ErrorPush{&error});
  for (auto& [index, listener] : room.listeners)
    if (listener.state == State::asked) move(room, listener, later ? State::entered : State::told);
}

PresenceRooms::Room* PresenceRooms::find(bus::Alias alias) {
  const auto found = rooms_.find(alias.index);
  return found == rooms_.end() || found->second.alias != alias ? nullptr : &found->second;
}

void PresenceRooms::on_heads(std::span<const bus::HeadNotice> heads) {
  if (rooms_.empty()) return;
  for (const bus::HeadNotice& notice : heads) {
    Room* const room = notice.answer && !notice.error ? find(notice.alias) : nullptr;
    if (room == nullptr) continue;
    for (auto& [index, listener] : room->listeners) {
      if (listener.state == State::added) continue;
      enter(*room, connections_.at(index), listener);
      room->recheck = true;
    }
    ask(notice.alias.index, *room);
  }
}

void PresenceRooms::on_events(std::span<const bus::PresenceEvent> events) {
  for (const bus::PresenceEvent& event : events) {
    Room* const room = find(event.alias);
    if (room == nullptr) continue;
    switch (event.what) {
      case What::join:
      case What::leave:
        room->digest ^= bus::presence_key(event.member);
        push(*room, State::told, MemberPush{room->name, event.what == What::join, event.member});
        break;
      case What::changed:
        room->recheck = true;
        ask(event.alias.index, *room);
        break;
      case What::refused:
        refused(*room, event.member.session);
        break;
    }
  }
}

void PresenceRooms::refused(Room& room, std::string_view session) {
  const Error error =
      fail(ErrorCode::overloaded,
           "not entered into the presence of " + room.name +
               ": the core has limits.presence_members_max, or its limits are lower");
  for (const auto& [index, listener] : room.listeners) {
    Connection& connection = connections_.at(index);
    if (listener.state == State::added || id_of_(connection) != session) continue;
    outlet_.append(connection, encoder_.push_frame(connection.variant, ErrorPush{&error}));
    return;
  }
}

void PresenceRooms::push(Room& room, State to_whom, const Push& push) {
  std::array<FrameRef, Encoder::kVariantsMax> frames;
  std::size_t pushed = 0;
  for (const auto& [index, listener] : room.listeners) {
    if (listener.state != to_whom) continue;
    Connection& connection = connections_.at(index);
    FrameRef& frame = frames[connection.variant];
    if (!frame) frame = encoder_.push_frame(connection.variant, push);
    outlet_.append(connection, frame);
    ++pushed;
  }
  probe_.presence_pushed(pushed);
}

}  // namespace peal::gateway
