#pragma once
// The client's side of WebSocket framing, small and pure: masked frames out, unmasked frames in.
//   byte 0: FIN(1) RSV(3) opcode(4)
//   byte 1: MASK(1) length(7), then 2 or 8 bytes of length, 4 bytes of mask, and the payload
// For load generators and test clients: a third implementation beside the gateway's codec and
// Beast's.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal::bench {

enum class Opcode : std::uint8_t { more = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Appends one whole, masked frame.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t mask);

struct Frame {
  Opcode opcode = Opcode::text;
  bool fin = true;
  std::string_view payload;
  std::size_t size = 0;  ///< header and payload: what to consume
};

/// Reads the frame at the front of `bytes`. `more`: it isn't all there. `broken`: no server frame.
enum class ReadFrame : std::uint8_t { done, more, broken };
ReadFrame read_frame(std::string_view bytes, Frame& frame);

/// The request that asks for an upgrade, and whether what came is the whole and right answer to it.
std::string upgrade_request(std::string_view host, std::string_view path, std::string_view headers);
struct UpgradeAnswer {
  std::size_t size = 0;  ///< bytes of the answer's header; 0: not whole yet
  int status = 0;
  bool accepted = false;
};
UpgradeAnswer read_upgrade_answer(std::string_view bytes);

}  // namespace peal::bench
