#pragma once
// Who wants to know of one channel without being a session: a request that waits. The Hub tells it
// where the channel's log stands, not what was published, since the log has that; of a channel that
// keeps no log it is told what is published. All on the shard's thread; the first words may come
// before `follow` has returned, and a follower may unfollow at any time.

#include <cstdint>
#include <optional>

#include "peal/proto/position.hpp"
#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"

namespace peal::gateway {

class Follower {
 public:
  virtual ~Follower() = default;
  /// As soon as it is known, and whenever it has moved, at most once a batch; none: the channel
  /// keeps no log.
  virtual void on_position(const std::optional<Position>& now) = 0;
  /// Of a channel that keeps no log; valid during the call.
  virtual void on_publication(const PublicationView& publication) = 0;
  /// It can't be followed (any more): the last words.
  virtual void on_refused(const Error& error) = 0;
};

/// What was begun by `follow`; 0: nothing.
using FollowId = std::uint64_t;

}  // namespace peal::gateway
