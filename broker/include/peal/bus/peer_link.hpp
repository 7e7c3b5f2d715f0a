#pragma once
// One side of one link session between a peer (gateway, monitor, CLI) and a broker. Pure: no
// socket, no clock, no thread; both sides use it. It decides when the link is up and when it is
// over, what may be sent, and what of the other side's is missing.
//
//   greeting --Hello of both, a common version, one cluster--> linked
//   greeting, linked --refused | silent | own loop stalled | nonsense--> ended (for good: a new
//   session is a new PeerLink over a new socket)
//
// Credit: each side grants bytes per class and a number of messages; what is on the way is what was
// sent and not yet reported as consumed. Messages without operations (Hello, heartbeat, report) are
// free. Link numbers count deliveries and publishes; a message that starts elsewhere than expected
// is a gap.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "peal/proto/bus_wire.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

using LinkTime = std::chrono::steady_clock::time_point;

struct LinkOptions {
  std::chrono::milliseconds heartbeat{1000};
  /// Silence, or a stall of the own loop, that ends a session. With the turn of a loop on top of it
  /// a silent link is noticed within 4 s.
  std::chrono::milliseconds dead_after{3500};
};

/// Messages with operations on the way on one link; ZeroMQ's own queues are set above it.
inline constexpr std::uint64_t kLinkMessagesMax = 1024;

/// What a broker of several says of itself in every message.
struct Standing {
  bool not_ready = false;
  std::optional<Epoch> stood_in;  ///< to a broker: the mark of when its place was handed back
  std::uint32_t view = 0;         ///< differs when it serves other channels than before
  friend bool operator==(const Standing&, const Standing&) = default;
};

/// A Hello with the version range and limits of this build.
wire::Hello make_hello(std::string cluster, std::string node, std::uint64_t incarnation,
                       const Limits& limits);

class PeerLink {
 public:
  enum class State : std::uint8_t { greeting, linked, ended };

  PeerLink(wire::Hello me, LinkOptions options, LinkTime now);

  State state() const { return state_; }
  bool linked() const { return state_ == State::linked; }
  const wire::Hello& me() const { return me_; }
  const wire::Hello& peer() const { return peer_; }  ///< once it said Hello
  std::uint32_t version() const { return version_; }
  /// Why it ended.
  const std::optional<Error>& why() const { return why_; }
  const Standing& standing() const { return standing_; }  ///< the peer's
  /// Whether the other side should be told why.
  bool should_refuse() const { return refuse_; }

  // -- what comes in

  /// What is known of a message when it arrives.
  struct Arrival {
    const wire::Stamp& stamp;
    const std::optional<wire::Hello>& hello;
    const std::optional<Error>& refusal;
    std::uint32_t numbered = 0;
    bool operations = false;
  };
  struct Verdict {
    bool take = false;          ///< its operations may be carried out
    bool linked_now = false;    ///< the accepting side answers with its own Hello
    std::uint64_t missing = 0;  ///< operations lost before this message: ask for heads
  };
  Verdict on_message(const Arrival& arrival, LinkTime now);
  /// Not even a message.
  void on_garbage(const Error& error);
  /// The owner has done with a message that was taken.
  void consumed(const wire::PerClass<std::uint32_t>& bytes);
  /// Call every turn, at least a few times a second, before messages are read.
  void on_turn(LinkTime now);
  /// The connection is gone, the process stops, …
  void end(Error why);

  // -- what goes out

  /// Whether the class has credit left. What is charged while it has may overshoot it once.
  bool has_credit(wire::LinkClass c) const;
  /// Operations of the class are about to be sent.
  void charge(wire::LinkClass c, std::size_t bytes);
  /// Whether a message with operations may be sent.
  bool may_send() const {
    return linked() && messages_sent_ - messages_acked_ < peer_.credit_messages;
  }
  /// What goes with a message that holds so much of what was charged. Counts it as sent.
  wire::Stamp stamp(const wire::PerClass<std::uint32_t>& bytes, std::uint32_t numbered,
                    bool operations, LinkTime now);
  /// What is said of this side from now on.
  void stand(const Standing& mine);
  /// There is something to say before the next heartbeat: enough was consumed, or this side stands
  /// otherwise.
  bool report_due() const;
  bool heartbeat_due(LinkTime now) const {
    return linked() && now - last_sent_ >= options_.heartbeat;
  }

  std::uint64_t on_the_way(wire::LinkClass c) const { return charged_[c] - acked_[c]; }

 private:
  void greet(const wire::Hello& hello);
  void refuse(ErrorCode code, std::string message);
  bool acknowledge(const wire::Stamp& stamp);

  const wire::Hello me_;
  const LinkOptions options_;
  State state_ = State::greeting;
  wire::Hello peer_;
  std::uint32_t version_ = 0;
  std::optional<Error> why_;
  bool refuse_ = false;
  Standing standing_;
  Standing mine_;
  bool standing_due_ = false;

  LinkTime last_turn_;
  LinkTime last_heard_;
  LinkTime last_sent_;

  // What we send.
  wire::PerClass<std::uint64_t> charged_;  ///< sent or about to be
  wire::PerClass<std::uint64_t> sent_;
  wire::PerClass<std::uint64_t> acked_;
  std::uint64_t messages_sent_ = 0;
  std::uint64_t messages_acked_ = 0;
  std::uint64_t next_number_ = 1;

  // What we get.
  wire::PerClass<std::uint64_t> received_;
  wire::PerClass<std::uint64_t> consumed_;
  wire::PerClass<std::uint64_t> reported_;
  std::uint64_t messages_received_ = 0;
  std::uint64_t messages_consumed_ = 0;
  std::uint64_t messages_reported_ = 0;
  std::uint64_t expected_number_ = 1;
};

}  // namespace peal::bus
