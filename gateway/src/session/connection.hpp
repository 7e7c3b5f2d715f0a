#pragma once
// One client's connection: the endpoint that bytes leave through, the machine of the moment (TLS
// handshake, HTTP, session), and what a session is. Plain data, moved by the shard's parts, all on
// one thread.
//   preface -> handshake -> http -> open -> closing -> lingering -> dead
// preface: a proxy may say whose connection it is, in the PROXY protocol;
// closing: the last bytes (a Close frame, a final answer) are queued and nothing more is taken;
// lingering: all is sent and FIN with it, what still comes is thrown away until the peer ends or
// time is up. What only few connections need at a time is in `cold`, so that an idle session is
// about 150 bytes.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/http_machine.hpp"
#include "io/outbox.hpp"
#include "session/body_source.hpp"
#include "session/rules.hpp"
#include "session/stream_places.hpp"
#include "session/subscription_list.hpp"
#include "websocket/codec.hpp"

namespace peal::gateway {

class Waiter;

struct Connection : Endpoint {
  enum class State : std::uint8_t { preface, handshake, http, open, closing, lingering, dead };

  /// While HTTP is spoken.
  struct Http {
    explicit Http(const Limits& limits) : machine(std::in_place, limits) {}
    std::optional<http::HttpMachine> machine;  ///< none while a waiter has its request
    bool answer_due = false;                   ///< a request was handed out and is not answered
    bool keep_alive = true;
    bool head = false;
    bool takes_chunks = true;
    bool fresh = true;        ///< nothing of a request has come since the last answer
    bool answered = false;    ///< the machine has to be told before it is fed again
    bool body_timed = false;  ///< the timer is the body's
    bool closes = false;      ///< the connection ends with the answer that is on its way
    /// An answer's body on its way; null: none.
    std::unique_ptr<BodySource> body;
    bool pulling = false;                      ///< the body was asked for its next piece
    std::optional<std::uint64_t> body_left{};  ///< none: its length is not known
    bool chunked = false;
    std::shared_ptr<Waiter> waiter;  ///< shared with what it waits for
  };
  /// What waits inside: bytes behind an unanswered command, a command behind another of its
  /// channel.
  struct Cold {
    std::string input;  ///< unread bytes: at most an unfinished frame, or what came while paused
    std::size_t input_wanted = 0;  ///< bytes until it makes sense to look again; 0: look now
    std::string stalled;           ///< a command that waits for earlier ones of its channel
    bool has_stalled = false;
    std::vector<std::string> asked;        ///< channels with a hook's answer due
    std::unique_ptr<StreamPlaces> places;  ///< of a stream over several channels, with ids
    bool empty() const { return input.empty() && !has_stalled && asked.empty() && !places; }
  };

  State state = State::http;
  std::uint8_t variant = 0;  ///< which encoding of pushes: Encoder's number of its Protocol
  bool in_ready_list : 1 = false;
  bool in_blocked_list : 1 = false;
  bool polls_input : 1 = true;    ///< EPOLLIN is asked for
  bool polls_output : 1 = false;  ///< EPOLLOUT is asked for
  bool peer_ended : 1 = false;    ///< its FIN was seen
  bool peer_closed : 1 = false;   ///< its Close frame was seen
  bool pong_due : 1 = false;
  bool heard : 1 = false;           ///< something came since the last look of the timer
  bool heartbeat : 1 = false;       ///< asked for in connect
  bool commanded : 1 = false;       ///< a command was taken: too late for connect
  bool doomed : 1 = false;          ///< too slow; closed at the end of the turn
  bool waits_for_room : 1 = false;  ///< a recovery goes on when nothing waits in the outbox
  std::uint16_t unanswered = 0;
  std::uint16_t publishes_unanswered = 0;
  std::uint16_t subscribes_waiting = 0;
  std::uint16_t controls_in_second = 0;
  std::uint32_t commands_in_second = 0;
  std::uint32_t rate_second = 0;
  std::uint32_t since_s = 0;  ///< seconds of the shard's life when it was accepted
  websocket::Decoder decoder;
  std::unique_ptr<Http> http;
  std::unique_ptr<Cold> cold;
  std::shared_ptr<const Principal> principal;  ///< shared: all anonymous sessions have the same
  SubscriptionList subscriptions;

  Cold& cold_part() {
    if (!cold) cold = std::make_unique<Cold>();
    return *cold;
  }
  StreamPlaces* places() const { return cold ? cold->places.get() : nullptr; }
  void trim_cold() {
    if (cold && cold->empty()) cold.reset();
  }
};

static_assert(sizeof(Connection) <= 160, "every idle session pays for this");

}  // namespace peal::gateway
