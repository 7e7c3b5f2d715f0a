#pragma once
// What commands do. One Engine per shard, used on its thread only: it judges (rules, hooks,
// limits), keeps the order of a session's commands on one channel, asks the bus, and answers.
// WebSocket and HTTP go the same way. Publishing when the bus is not linked is refused at once with
// broker_unavailable.

#include <functional>
#include <memory>

#include "peal/bus/bus_port.hpp"
#include "peal/gateway/rules.hpp"
#include "session/follower.hpp"

namespace peal::gateway {

/// Called once, on the shard's thread, maybe before `publish` returns (a refusal).
using PublishDone = std::function<void(const bus::Published&)>;

/// Called once, on the shard's thread; the page is valid during the call. Maybe before the asking
/// call returns (a refusal).
using PageDone = std::function<void(const bus::Page&)>;

/// The same, for who is there.
using PresenceDone = std::function<void(const bus::PresenceAnswer&)>;

/// What a connect hook said of a token: null means that it changes nothing.
using ConnectDone = std::function<void(const Result<std::shared_ptr<const Principal>>&)>;

class Engine {
 public:
  virtual ~Engine() = default;
  /// Asks the connect hook, which there must be, about a token that was shown over HTTP.
  virtual void ask_connect(const std::shared_ptr<const Principal>& principal,
                           std::string_view token, ConnectDone done) = 0;
  /// A client's publish that is no session's (HTTP): rules, limits and hooks apply. `request` is
  /// copied.
  virtual void publish(std::shared_ptr<const Principal> principal,
                       const bus::PublishRequest& request, PublishDone done) = 0;
  /// From control, ingest or the embedding application: limits apply, rules and hooks don't.
  virtual void publish_trusted(const bus::PublishRequest& request, PublishDone done) = 0;
  /// Reads a channel's log for a client: whoever may subscribe may read. `request` is copied; its
  /// id is not used. At most limits.page_length_max publications, limits.page_bytes_max bytes.
  virtual void read(const std::shared_ptr<const Principal>& principal,
                    const bus::ReadRequest& request, PageDone done) = 0;
  /// From control or the embedding application: rules don't apply.
  virtual void read_trusted(const bus::ReadRequest& request, PageDone done) = 0;
  /// Tells `follower` of a channel, for a client: whoever may subscribe may. It outlives the
  /// following, which ends with `unfollow` or on_refused (then 0 may be the answer).
  virtual FollowId follow(const std::shared_ptr<const Principal>& principal,
                          std::string_view channel, Follower& follower) = 0;
  virtual void unfollow(FollowId id) = 0;
  /// Who is in a channel, for whoever the rules let see it. `request` is copied; its id is not
  /// used. At most limits.presence_page_max members.
  virtual void presence(const std::shared_ptr<const Principal>& principal,
                        const bus::PresenceRequest& request, PresenceDone done) = 0;
  /// From control or the embedding application: rules don't apply.
  virtual void presence_trusted(const bus::PresenceRequest& request, PresenceDone done) = 0;
  virtual const bus::BusState& bus_state() const = 0;
};

}  // namespace peal::gateway
