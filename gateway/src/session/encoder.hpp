#pragma once
// From pushes and replies to frames. A variant is one encoding of pushes that some session of the
// shard wants (a Protocol over WebSocket); each publication is encoded once per variant, whatever
// the number of sessions. One per shard, its thread only; the scratch space is used again and
// again.

#include <cstdint>
#include <string>
#include <vector>

#include "io/frame.hpp"
#include "session/protocol.hpp"

namespace peal::gateway {

class Encoder {
 public:
  static constexpr std::uint8_t kVariantsMax = 8;

  /// The variant's number; kVariantsMax when there are too many.
  std::uint8_t variant_of(Protocol& protocol);
  Protocol& protocol(std::uint8_t variant) { return *variants_[variant]; }
  std::size_t variants() const { return variants_.size(); }

  /// Appends one push, framed, to `out`.
  void append_push(std::string& out, std::uint8_t variant, const Push& push);
  FrameRef push_frame(std::uint8_t variant, const Push& push, std::uint32_t messages = 0);
  FrameRef reply_frame(std::uint8_t variant, std::uint64_t id, const ReplyBody& reply);

 private:
  template <class Write>
  void append_framed(std::string& out, bool text, Write&& write);

  std::vector<Protocol*> variants_;
  std::string scratch_;
};

}  // namespace peal::gateway
