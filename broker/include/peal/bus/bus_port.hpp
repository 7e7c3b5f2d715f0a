#pragma once
// How a shard of a gateway (or a monitor, or the CLI) reaches the cores: one port per shard, used
// by that shard's thread only. Calls only gather: they copy what they are given and return at once.
// `turn()`, called once at the end of each of the shard's turns, hands everything over in batches
// and is the only place from which the sink is called, so no callback ever runs inside another
// call. Heads, publications and pages of one channel come in one order, the core's; on_published
// comes after them, in the order of the publishes. A callback may call the port; that is gathered
// for the next turn.
//
// The Head that answers `watch` promises: everything above `top` comes on this port after it (on an
// ephemeral channel: everything published from then on). Nothing of a channel comes before that
// answer, nor after `unwatch` returned (but for the rest of the batch during whose callback it was
// called). A port counts nothing: whoever watches keeps one alias per channel. Push is a hint, the
// log is the truth: after on_state(linked) every alias still watched gets a new on_heads answer by
// itself; the owner compares it with its Feed and reads only what moved.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/cluster_query.hpp"
#include "peal/proto/presence.hpp"
#include "peal/proto/result.hpp"

namespace peal::bus {

struct BusState {
  bool linked = false;  ///< publishes can be taken
  bool shared = false;  ///< other gateways hear what is published here
  std::string detail;   ///< for a person: why not, or with whom
};

/// Implemented by the port's owner. Spans and views are valid during the call.
class BusSink {
 public:
  virtual ~BusSink() = default;
  virtual void on_batch(std::span<const Delivery> deliveries) = 0;
  virtual void on_heads(std::span<const HeadNotice> heads) = 0;
  virtual void on_published(std::span<const Published> outcomes) = 0;
  virtual void on_page(const Page& page) = 0;
  virtual void on_presence(const PresenceAnswer& answer) = 0;
  virtual void on_presence_events(std::span<const PresenceEvent> events) = 0;
  virtual void on_state(const BusState& state) = 0;
};

/// Wakes a port's owner so that it calls `turn()` soon. Any thread; cheap when already awake.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() noexcept = 0;
};

class BusPort {
 public:
  virtual ~BusPort() = default;
  virtual void watch(Alias alias, std::string_view channel) = 0;
  virtual void unwatch(Alias alias) = 0;
  virtual void publish(const PublishRequest& request) = 0;
  virtual void read(const ReadRequest& request) = 0;
  /// A session enters the presence of a channel whose watch has been answered; from then on this
  /// port hears the channel's on_presence_events, until it has said that its last member there
  /// leaves. After each further answer to the watch (the link came back) all have to be entered
  /// again.
  virtual void enter(Alias alias, const Member& member) = 0;
  virtual void leave(Alias alias, std::string_view session) = 0;
  /// Who is there: answered by on_presence, in one order with the channel's events.
  virtual void presence(const PresenceRequest& request) = 0;
  /// Hands over what was gathered, then calls the sink with what is due. True: call again soon,
  /// there is more (the owner must not sleep).
  virtual bool turn() = 0;
};

/// The driver. `attach` each shard once before `start`; ports live as long as the bus.
class Bus {
 public:
  virtual ~Bus() = default;
  virtual BusPort& attach(BusSink& sink, Waker& waker) = 0;
  virtual Result<void> start() = 0;
  /// Any thread. Each port's next turn is its last: it reports unanswered publishes as `unknown`,
  /// and after it the sink isn't called any more. The bus outlives that turn.
  virtual void stop() = 0;
  virtual BusState state() const = 0;  ///< any thread
  /// How this process answers what the cluster is asked; before `start`. Without it it is not
  /// asked.
  virtual void answer_with(ClusterHandler handler) = 0;
  /// Asks everybody, this process too. Any thread; `done` is called once, maybe at once.
  virtual void ask(const ClusterQuery& query, ClusterDone done) = 0;
};

}  // namespace peal::bus
