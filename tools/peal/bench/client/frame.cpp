#include "bench/client/frame.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace peal::bench {
namespace {

// The pair of key and answer that RFC 6455 itself shows: a fixed key needs no SHA-1 to check the
// answer.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) {
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return value;
}

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xFF);
  }
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

void append_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t mask) {
  out += static_cast<char>(0x80 | static_cast<int>(opcode));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(0x80 | 126);
    append_big_endian(out, payload.size(), 2);
  } else {
    out += static_cast<char>(0x80 | 127);
    append_big_endian(out, payload.size(), 8);
  }
  char key[4];
  std::memcpy(key, &mask, sizeof key);
  out.append(key, sizeof key);
  const std::size_t start = out.size();
  out += payload;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out[start + i] = static_cast<char>(out[start + i] ^ key[i & 3]);
  }
}

ReadFrame read_frame(std::string_view bytes, Frame& frame) {
  if (bytes.size() < 2) {
    return ReadFrame::more;
  }
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  const unsigned opcode = first & 0x0F;
  const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
  if ((first & 0x70) != 0 || (second & 0x80) != 0 || !known) {
    return ReadFrame::broken;
  }
  std::size_t header = 2;
  std::uint64_t length = second & 0x7F;
  if (length >= 126) {
    const std::size_t wide = length == 126 ? 2 : 8;
    header += wide;
    if (bytes.size() < header) {
      return ReadFrame::more;
    }
    length = big_endian(bytes.substr(2, wide));
  }
  if (length > (std::uint64_t{1} << 30)) {
    return ReadFrame::broken;
  }
  if (bytes.size() - header < length) {
    return ReadFrame::more;
  }
  frame.opcode = static_cast<Opcode>(opcode);
  frame.fin = (first & 0x80) != 0;
  frame.payload = bytes.substr(header, static_cast<std::size_t>(length));
  frame.size = header + static_cast<std::size_t>(length);
  return ReadFrame::done;
}

std::string upgrade_request(std::string_view host, std::string_view path,
                            std::string_view headers) {
  std::string out = "GET ";
  out += path;
  out += " HTTP/1.1\r\nHost: ";
  out += host;
  out +=
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: peal.json.v1\r\nSec-WebSocket-Key: ";
  out += kKey;
  out += "\r\n";
  out += headers;
  out += "\r\n";
  return out;
}

UpgradeAnswer read_upgrade_answer(std::string_view bytes) {
  UpgradeAnswer answer;
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return answer;
  }
  answer.size = end + 4;
  const std::string_view header = bytes.substr(0, end + 2);
  if (header.size() > 12 && header.starts_with("HTTP/1.1 ")) {
    std::from_chars(header.data() + 9, header.data() + 12, answer.status);
  }
  const std::string names = lowered(header);
  const std::string_view field = "\r\nsec-websocket-accept:";
  const auto at = names.find(field);
  if (answer.status == 101 && at != std::string::npos) {
    const auto value = header.substr(at + field.size());
    answer.accepted = value.substr(0, value.find("\r\n")).find(kAccept) != std::string_view::npos;
  }
  return answer;
}

}  // namespace peal::bench
