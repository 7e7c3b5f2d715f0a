#pragma once
// RFC 6455 as a pure codec: bytes in, messages and control events out, unmasking in place. It reads
// from whatever buffer the caller has (the shard's one big one) and keeps only what a message needs
// across frames: an unfinished frame's bytes stay with the caller, a fragmented message is
// assembled here. One Decoder a connection, 24 bytes while nothing is fragmented. No I/O, no clock.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "peal/proto/close_code.hpp"

namespace peal::gateway::websocket {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

struct DecoderLimits {
  std::size_t
      message_bytes_max;  ///< of a whole message; a larger declared length is refused at once
  std::size_t fragments_max;
};

struct Event {
  enum class Kind : std::uint8_t {
    need_more,  ///< keep the rest of the input (at most one unfinished frame) and come again
    message,    ///< `payload` is a whole text or binary message; text is valid UTF-8
    ping,       ///< answer with `payload`
    pong,
    close,  ///< `code` and reason in `payload`; 1005 when it had none
    error,  ///< close with `code`; the rest of the input is gone, nothing in it has a meaning
  };
  Kind kind = Kind::need_more;
  Opcode opcode = Opcode::text;
  std::string_view payload;  ///< into the input or the assembly; until the next call
  std::uint16_t code = 0;    ///< of close and error
  std::string_view reason;   ///< of error: what was wrong, for the log
  std::size_t bytes_needed =
      0;  ///< of need_more: how many bytes the unfinished frame has in all (0: unknown yet)
};

class Decoder {
 public:
  /// Takes the next event from the front of `input` and shrinks it by what was consumed. Frames of
  /// a client are masked; with `masked` false it reads a server's frames (for tests and tools).
  Event next(std::span<char>& input, const DecoderLimits& limits, bool masked = true);
  /// Bytes held for a fragmented message.
  std::size_t held_bytes() const { return assembly_ ? assembly_->text.capacity() : 0; }

 private:
  Event take(std::span<char>& input, const DecoderLimits& limits, bool masked);

  struct Assembly {
    std::string text;
    Opcode opcode = Opcode::text;
    std::size_t fragments = 0;
    bool done = false;
  };
  std::unique_ptr<Assembly> assembly_;
};

/// A server frame's header (unmasked, FIN set): the bytes in `out`, how many as the result (2, 4 or
/// 10).
std::size_t encode_header(std::array<char, 10>& out, Opcode opcode, std::size_t payload_bytes);
/// A whole server frame appended to `out`.
void append_frame(std::string& out, Opcode opcode, std::string_view payload);
/// A Close frame; the reason is cut to 123 bytes at a code point.
void append_close(std::string& out, std::uint16_t code, std::string_view reason);
/// Sec-WebSocket-Accept of a Sec-WebSocket-Key.
std::string accept_key(std::string_view key);

}  // namespace peal::gateway::websocket
