#pragma once
// Where one stream over several channels stands, as far as bytes have been queued for it: kept so
// that each event can be preceded by an `id:` line with all of its channels' positions. A line and
// the event behind it are two pieces of one event block: what is cut between them is no event to
// the reader, so an id is never taken for more than what came. Owned by the session, its shard's
// thread only.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/frame.hpp"
#include "session/stream_cursor.hpp"
#include "session/stream_order.hpp"

namespace peal::gateway {

class StreamPlaces {
 public:
  explicit StreamPlaces(const StreamOrder& order);

  /// From now on `name` is the Hub's channel number `channel`. `ephemeral`: it keeps no log.
  void bind(std::string_view name, std::uint32_t channel, bool ephemeral);
  /// The session moves to `position` of that channel.
  void move(std::uint32_t channel, const Position& position);
  /// "id: …\n", to be sent before the event that brings the session there.
  FrameRef id_line() const;
  const StreamCursor& cursor() const { return cursor_; }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::vector<std::uint32_t> channels_;  ///< by place: the Hub's number, or kNone
  StreamCursor cursor_;
  std::vector<std::string> names_;  ///< of places that are not bound yet; freed with the last
  std::size_t unbound_;
};

}  // namespace peal::gateway
