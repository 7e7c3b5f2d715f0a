#include "websocket/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace peal::gateway::websocket {
namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080U;

/// Skips ASCII; returns where the first other byte is, or the end.
const unsigned char* skip_ascii(const unsigned char* at, const unsigned char* end) {
  while (end - at >= 16) {
    std::uint64_t words[2];
    std::memcpy(words, at, sizeof words);
    if (((words[0] | words[1]) & kHighBits) != 0) break;
    at += 16;
  }
  while (at != end && *at < 0x80U)
    ++at;
  return at;
}

/// Length of the multi-byte sequence at `at`, 0 when it is broken. The second byte's range depends
/// on the first (Unicode table 3-7); all further ones are 80..BF.
std::size_t sequence(const unsigned char* at, const unsigned char* end) {
  const unsigned lead = *at;
  std::size_t length = 0;
  unsigned low = 0x80U;
  unsigned high = 0xBFU;
  if (lead >= 0xC2U && lead <= 0xDFU) {
    length = 2;
  } else if ((lead & 0xF0U) == 0xE0U) {
    length = 3;
    if (lead == 0xE0U) low = 0xA0U;
    if (lead == 0xEDU) high = 0x9FU;
  } else if (lead >= 0xF0U && lead <= 0xF4U) {
    length = 4;
    if (lead == 0xF0U) low = 0x90U;
    if (lead == 0xF4U) high = 0x8FU;
  } else {
    return 0;
  }
  if (static_cast<std::size_t>(end - at) < length) return 0;
  if (at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((at[i] & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

}  // namespace

bool valid_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while ((at = skip_ascii(at, end)) != end) {
    const std::size_t length = sequence(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace peal::gateway::websocket
