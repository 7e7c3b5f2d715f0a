#pragma once
// A shard's sessions that are in the presence of channels. Per such channel a room: its listeners
// (the sessions that entered), and the digest of the set that they were told. A listener is entered
// at the core when its subscribe has been answered, is told the set next, and from then on each
// join and leave; equal pushes are encoded once per variant. After the bus was lost and found (the
// watch is answered once more) all are entered again; then, and when the core says that what it
// told may not be all, the digest is compared, and only a set that differs is told again. Sessions
// that are in no presence cost nothing here. One per shard, its thread only.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "io/outbox.hpp"
#include "io/slab.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "session/connection.hpp"
#include "session/encoder.hpp"
#include "session/gateway_probe.hpp"

namespace peal::gateway {

class PresenceRooms {
 public:
  using IdOf = std::function<std::string(const Connection&)>;
  PresenceRooms(Slab<Connection>& connections, Outlet& outlet, Encoder& encoder,
                GatewayProbe& probe, const Limits& limits, IdOf id_of);
  ~PresenceRooms();
  void attach(bus::BusPort& port) { port_ = &port; }

  /// A member of the hub's channel wants to be in its presence; again: with other data.
  void add(const Connection& connection, std::uint32_t channel, bus::Alias alias,
           std::string_view name, std::string_view data);
  /// Its subscribe has been answered; harmless for those that were not added.
  void start(const Connection& connection, std::uint32_t channel);
  /// It is no member of the hub's channel any more.
  void remove(const Connection& connection, std::uint32_t channel);

  /// Before the hub hears them.
  void on_heads(std::span<const bus::HeadNotice> heads);
  /// Whether the answer is for one of these rooms.
  bool on_answer(const bus::PresenceAnswer& answer);
  void on_events(std::span<const bus::PresenceEvent> events);

  std::size_t rooms() const { return rooms_.size(); }
  std::size_t listeners() const { return listeners_; }
  /// Request ids of the rooms' own questions have this bit.
  static constexpr bus::RequestId kRoomBit = bus::RequestId{1} << 63;

 private:
  struct Listener {
    enum class State : std::uint8_t {
      added,    ///< its subscribe is not answered
      entered,  ///< waits for a question
      asked,    ///< waits for the question's answer
      told,
    };
    std::string data;
    State state = State::added;
  };
  using State = Listener::State;
  /// What the question at hand is for.
  enum class Asking : std::uint8_t { nothing, digest, set };
  struct Room {
    std::string name;
    bus::Alias alias;
    std::unordered_map<std::uint32_t, Listener> listeners;  ///< by connection
    std::uint64_t digest = 0;                               ///< of what the listeners were told
    bus::RequestId question = 0;
    Asking asking = Asking::nothing;
    bool doubtful = false;    ///< not all were told the same
    bool recheck = false;     ///< compare the digest once more
    std::size_t waiting = 0;  ///< listeners that are entered and not asked for
    std::size_t told = 0;
  };

  void enter(Room& room, const Connection& connection, Listener& listener);
  void ask(std::uint32_t channel, Room& room);
  void take_set(Room& room, const bus::PresenceAnswer& answer);
  void give_up(Room& room, const Error& error);
  void move(Room& room, Listener& listener, State to);
  void push(Room& room, State to_whom, const Push& push);
  Room* find(bus::Alias alias);
  void refused(Room& room, std::string_view session);

  Slab<Connection>& connections_;
  Outlet& outlet_;
  Encoder& encoder_;
  GatewayProbe& probe_;
  const Limits& limits_;
  const IdOf id_of_;
  bus::BusPort* port_ = nullptr;
  std::unordered_map<std::uint32_t, Room> rooms_;  ///< by the hub's channel number
  std::unordered_map<bus::RequestId, std::uint32_t> questions_;
  bus::RequestId next_question_ = kRoomBit;
  std::size_t listeners_ = 0;
};

}  // namespace peal::gateway
