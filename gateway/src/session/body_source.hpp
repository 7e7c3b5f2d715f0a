#pragma once
// A response's body that comes in pieces, each asked for when the client has taken the one before:
// what a reader costs is one piece, however long the body and however slow the reader. Owned by its
// connection and gone with it, so what a source has asked for elsewhere must not point back to it.
// One thread. A body whose length was told ends when that many bytes have come; one without a
// length ends with a piece that says so (it goes out in chunks). A source that can't go on says
// failed, and the connection is cut: half a body must not pass for the whole.

#include <functional>

#include "io/frame.hpp"

namespace peal::gateway {

class BodySource {
 public:
  struct Piece {
    FrameRef bytes{};     ///< not empty, unless `last` or `failed`
    bool last = false;    ///< nothing follows
    bool failed = false;  ///< cut the connection
  };
  using Taker = std::function<void(Piece)>;

  virtual ~BodySource() = default;
  /// Asks for the next piece: `taker` is called once, on this thread, now or later.
  virtual void pull(Taker taker) = 0;
};

}  // namespace peal::gateway
