#pragma once
// The messages of all workloads: 128 bytes of JSON published, and what a subscriber gets of it.

#include <string>
#include <string_view>

#include "load/swarm.hpp"

namespace peal::bench {

inline constexpr std::size_t kMessageBytes = 128;

inline std::string message() {
  return '"' + std::string(kMessageBytes - 2, 'x') + '"';
}
inline std::string publish_frame(const std::string& channel) {
  return client_frame(R"({"action":"publish","payload":{"channel":")" + channel +
                      R"(","message":)" + message() + "}}");
}
inline std::string delivery(const std::string& channel) {
  return R"({"event":"message","channel":")" + channel + R"(","message":)" + message() + "}";
}
/// Bytes of the delivery as a server's frame.
inline std::size_t delivery_frame_bytes(const std::string& channel) {
  const std::size_t size = delivery(channel).size();
  return size + (size < 126 ? 2 : 4);
}

}  // namespace peal::bench
