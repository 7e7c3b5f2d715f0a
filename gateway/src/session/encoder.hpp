#pragma once
// From pushes and replies to frames. A variant is one encoding of pushes that some session of the
// shard wants (a Protocol and what is around its messages); each publication is encoded once per
// variant, whatever the number of sessions. As server-sent events a push is one event block; the
// `id:` that a client shows when it comes back is inside (one channel), or a line of each session's
// own that is sent before the shared block (StreamIds), or absent. One per shard, its thread only;
// the scratch space is used again and again.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/frame.hpp"
#include "session/protocol.hpp"

namespace peal::gateway {

/// What is around a push's message.
enum class Framing : std::uint8_t {
  websocket,
  sse,            ///< an event without an id
  sse_positions,  ///< an event whose id is its channel's position
  sse_tokens,     ///< an event that each session's own id line goes before
};

class Encoder {
 public:
  static constexpr std::uint8_t kVariantsMax = 8;

  /// The variant's number; kVariantsMax when there are too many.
  std::uint8_t variant_of(Protocol& protocol, Framing framing = Framing::websocket);
  Protocol& protocol(std::uint8_t variant) { return *variants_[variant].protocol; }
  Framing framing(std::uint8_t variant) const { return variants_[variant].framing; }
  /// Whether its sessions are HTTP responses, which nothing is read from.
  bool sse(std::uint8_t variant) const { return framing(variant) != Framing::websocket; }
  std::size_t variants() const { return variants_.size(); }

  /// Appends one push, framed, to `out`.
  void append_push(std::string& out, std::uint8_t variant, const Push& push);
  FrameRef push_frame(std::uint8_t variant, const Push& push, std::uint32_t messages = 0);
  FrameRef reply_frame(std::uint8_t variant, std::uint64_t id, const ReplyBody& reply);

  /// Publications as the list of a subscribe result, to be shared by many of them: a frame that is
  /// `continued`.
  FrameRef list_frame(std::uint8_t variant, std::span<const PublicationView> publications);
  /// A subscribe result around such a list, three frames of one message: a reply, or without an id
  /// (SSE) a push. Valid until the next call.
  std::span<const FrameRef> result_frames(std::uint8_t variant, std::optional<std::uint64_t> id,
                                          const SubscribeResult& result, const FrameRef& list);

 private:
  struct Variant {
    Protocol* protocol;
    Framing framing;
  };
  /// `shared`: bytes of the message that are not in `out`. Returns the size of its header.
  template <class Write>
  std::size_t append_framed(std::string& out, bool text, Write&& write, std::size_t shared = 0);

  std::vector<Variant> variants_;
  std::string scratch_;
  std::array<FrameRef, 3> parts_;
};

/// Makes what `out` has from `begin` on the data of an event, up to its end: a line break inside is
/// a new `data:` line, which readers join again.
void finish_event(std::string& out, std::size_t begin);

}  // namespace peal::gateway
