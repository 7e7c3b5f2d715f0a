#pragma once
// A client's frames for codec tests, built byte by byte and independently of the codec under test.

#include <cstdint>
#include <string>
#include <string_view>

namespace peal::gateway::websocket::testing {

struct FrameShape {
  unsigned first = 0x81;  ///< FIN, RSV, opcode
  bool masked = true;
  std::uint32_t mask = 0x1234ABCDU;
  int extended = -1;           ///< bytes of extended length (0, 2, 8); -1: the shortest
  std::int64_t declared = -1;  ///< length told; -1: the payload's
};

inline std::string frame(std::string_view payload, FrameShape shape = {}) {
  const std::uint64_t length =
      shape.declared < 0 ? payload.size() : static_cast<std::uint64_t>(shape.declared);
  const int extended = shape.extended >= 0 ? shape.extended
                       : length < 126      ? 0
                       : length < 65536    ? 2
                                           : 8;
  std::string out;
  out += static_cast<char>(shape.first);
  const std::uint64_t length7 = extended == 0 ? length : extended == 2 ? 126 : 127;
  out += static_cast<char>((shape.masked ? 0x80U : 0U) | length7);
  for (int i = extended - 1; i >= 0; --i)
    out += static_cast<char>(length >> (8 * i));
  if (!shape.masked) return out.append(payload);
  std::string key;
  for (int i = 3; i >= 0; --i)
    key += static_cast<char>(shape.mask >> (8 * i));
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  }
  return out;
}

inline std::string text(std::string_view payload) {
  return frame(payload);
}
inline std::string part(unsigned opcode, bool fin, std::string_view payload) {
  return frame(payload, {.first = (fin ? 0x80U : 0U) | opcode});
}

}  // namespace peal::gateway::websocket::testing
