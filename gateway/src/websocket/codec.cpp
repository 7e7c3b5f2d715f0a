// A frame (RFC 6455, 5.2), most significant bit first:
//
//   frame   := FIN:1 RSV:3 opcode:4  MASK:1 length7:7  extended?  mask?  payload
//   extended:= u16 when length7 = 126, u64 when 127; big endian, in the shortest form
//   mask    := 4 bytes when MASK = 1; payload[i] ^= mask[i % 4]
#include "websocket/codec.hpp"

#include <algorithm>
#include <cstring>

#include "websocket/utf8.hpp"

namespace peal::gateway::websocket {
namespace {

constexpr std::size_t kControlBytesMax = 125;

struct Header {
  bool fin = false;
  bool masked = false;
  Opcode opcode = Opcode::text;
  std::uint64_t length = 0;
  std::size_t size = 0;  ///< of the header with its mask; 0: unfinished
};

bool control(Opcode opcode) {
  return (static_cast<unsigned>(opcode) & 8U) != 0;
}

/// An error text, or null. `header.size` stays 0 when the fixed part is there and the rest is not.
const char* read_header(std::span<const char> in, bool masked, Header& header) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in[i]); };
  const unsigned b0 = byte(0);
  const unsigned b1 = byte(1);
  if ((b0 & 0x70U) != 0) return "reserved bits are set";
  const unsigned code = b0 & 0x0FU;
  if ((code > 2 && code < 8) || code > 10) return "unknown opcode";
  header.fin = (b0 & 0x80U) != 0;
  header.opcode = static_cast<Opcode>(code);
  header.masked = (b1 & 0x80U) != 0;
  if (header.masked != masked) return masked ? "frame is not masked" : "frame is masked";
  const unsigned length7 = b1 & 0x7FU;
  if (control(header.opcode)) {
    if (!header.fin) return "control frame is fragmented";
    if (length7 > kControlBytesMax) return "control frame is longer than 125 bytes";
  }
  const std::size_t extended = length7 == 126 ? 2 : length7 == 127 ? 8 : 0;
  if (in.size() < 2 + extended) return nullptr;
  header.length = extended == 0 ? length7 : 0;
  for (std::size_t i = 0; i < extended; ++i)
    header.length = header.length << 8U | byte(2 + i);
  if (extended == 2 && header.length < 126) return "length is not in its shortest form";
  if (extended == 8 && (header.length < 65536 || header.length >> 63U != 0)) {
    return "length is not in its shortest form";
  }
  header.size = 2 + extended + (masked ? 4 : 0);
  return nullptr;
}

void unmask(char* data, std::size_t size, const char* mask) {
  std::uint32_t key = 0;
  std::memcpy(&key, mask, sizeof key);
  if (key == 0) return;
  const std::uint64_t wide = std::uint64_t{key} << 32U | key;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + i, sizeof word);
    word ^= wide;
    std::memcpy(data + i, &word, sizeof word);
  }
  for (; i < size; ++i)
    data[i] = static_cast<char>(data[i] ^ mask[i % 4]);
}

Event error_event(CloseCode code, std::string_view reason) {
  Event event;
  event.kind = Event::Kind::error;
  event.code = static_cast<std::uint16_t>(code);
  event.reason = reason;
  return event;
}

/// Codes that may stand in a Close frame (RFC 6455 7.4 and IANA's registry).
bool valid_close_code(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

Event close_event(std::string_view payload) {
  Event event;
  event.kind = Event::Kind::close;
  event.opcode = Opcode::close;
  event.code = 1005;
  if (payload.empty()) return event;
  if (payload.size() == 1) return error_event(CloseCode::protocol_error, "close frame of one byte");
  const unsigned code =
      static_cast<unsigned char>(payload[0]) * 256U + static_cast<unsigned char>(payload[1]);
  if (!valid_close_code(code)) return error_event(CloseCode::protocol_error, "invalid close code");
  event.code = static_cast<std::uint16_t>(code);
  event.payload = payload.substr(2);
  if (!valid_utf8(event.payload)) {
    return error_event(CloseCode::invalid_payload, "close reason is not UTF-8");
  }
  return event;
}

Event message_event(Opcode opcode, std::string_view payload) {
  if (opcode == Opcode::text && !valid_utf8(payload)) {
    return error_event(CloseCode::invalid_payload, "text is not UTF-8");
  }
  Event event;
  event.kind = Event::Kind::message;
  event.opcode = opcode;
  event.payload = payload;
  return event;
}

}  // namespace

Event Decoder::next(std::span<char>& input, const DecoderLimits& limits, bool masked) {
  const Event event = take(input, limits, masked);
  // Behind a broken frame nothing has a meaning any more; taking all of it keeps every loop finite.
  if (event.kind == Event::Kind::error) input = input.last(0);
  return event;
}

Event Decoder::take(std::span<char>& input, const DecoderLimits& limits, bool masked) {
  if (assembly_ && assembly_->done) assembly_.reset();
  for (;;) {
    Event more;
    if (input.size() < 2) return more;
    Header header;
    if (const char* wrong = read_header(input, masked, header)) {
      return error_event(CloseCode::protocol_error, wrong);
    }
    if (!control(header.opcode)) {
      if ((header.opcode == Opcode::continuation) != (assembly_ != nullptr)) {
        return error_event(CloseCode::protocol_error, assembly_ ? "a message begins within another"
                                                                : "continuation of no message");
      }
      const std::size_t held = assembly_ ? assembly_->text.size() : 0;
      if (header.length > limits.message_bytes_max - std::min(held, limits.message_bytes_max)) {
        return error_event(CloseCode::too_big, "message is larger than limits.command_bytes_max");
      }
      if (assembly_ && assembly_->fragments >= limits.fragments_max) {
        return error_event(CloseCode::too_big, "message has more than limits.fragments_max frames");
      }
    }
    if (header.size == 0) return more;
    const std::size_t size = header.size + static_cast<std::size_t>(header.length);
    if (input.size() < size) {
      more.bytes_needed = size;
      return more;
    }
    char* const data = input.data() + header.size;
    const auto length = static_cast<std::size_t>(header.length);
    if (masked) unmask(data, length, data - 4);
    input = input.subspan(size);
    const std::string_view payload(data, length);

    if (control(header.opcode)) {
      if (header.opcode == Opcode::close) return close_event(payload);
      Event event;
      event.kind = header.opcode == Opcode::ping ? Event::Kind::ping : Event::Kind::pong;
      event.opcode = header.opcode;
      event.payload = payload;
      return event;
    }
    if (!assembly_ && header.fin) return message_event(header.opcode, payload);
    if (!assembly_) {
      assembly_ = std::make_unique<Assembly>();
      assembly_->opcode = header.opcode;
    }
    assembly_->text.append(payload);
    ++assembly_->fragments;
    if (header.fin) {
      assembly_->done = true;
      return message_event(assembly_->opcode, assembly_->text);
    }
  }
}

std::size_t encode_header(std::array<char, 10>& out, Opcode opcode, std::size_t payload_bytes) {
  out[0] = static_cast<char>(0x80U | static_cast<unsigned>(opcode));
  if (payload_bytes < 126) {
    out[1] = static_cast<char>(payload_bytes);
    return 2;
  }
  const std::size_t extended = payload_bytes < 65536 ? 2 : 8;
  out[1] = extended == 2 ? 126 : 127;
  for (std::size_t i = 0; i < extended; ++i) {
    out[1 + extended - i] = static_cast<char>((std::uint64_t{payload_bytes} >> (8 * i)) & 0xFFU);
  }
  return 2 + extended;
}

void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  std::array<char, 10> header;
  out.append(header.data(), encode_header(header, opcode, payload.size()));
  out.append(payload);
}

void append_close(std::string& out, std::uint16_t code, std::string_view reason) {
  constexpr std::size_t kReasonBytesMax = kControlBytesMax - 2;
  if (reason.size() > kReasonBytesMax) {
    std::size_t cut = kReasonBytesMax;
    while (cut > 0 && (static_cast<unsigned char>(reason[cut]) & 0xC0U) == 0x80U)
      --cut;
    reason = reason.substr(0, cut);
  }
  std::array<char, 10> header;
  out.append(header.data(), encode_header(header, Opcode::close, reason.size() + 2));
  out += static_cast<char>(code >> 8U);
  out += static_cast<char>(code & 0xFFU);
  out.append(reason);
}

}  // namespace peal::gateway::websocket
