#include "peal/proto/channel_name.hpp"

namespace peal {
namespace {

/// Length of the UTF-8 sequence at `i`, or 0 when it is broken or a control character.
std::size_t step(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const auto tail = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(i);
  if (lead < 0x80U) return lead >= 0x20U && lead != 0x7FU ? 1 : 0;
  if (lead >= 0xC2U && lead <= 0xDFU) {
    const bool c1 = lead == 0xC2U && byte(i + 1) < 0xA0U;
    return tail(i + 1) && !c1 ? 2 : 0;
  }
  if (lead >= 0xE0U && lead <= 0xEFU) {
    if (!tail(i + 1) || !tail(i + 2)) return 0;
    if (lead == 0xE0U && byte(i + 1) < 0xA0U) return 0;
    if (lead == 0xEDU && byte(i + 1) > 0x9FU) return 0;
    return 3;
  }
  if (lead >= 0xF0U && lead <= 0xF4U) {
    if (!tail(i + 1) || !tail(i + 2) || !tail(i + 3)) return 0;
    if (lead == 0xF0U && byte(i + 1) < 0x90U) return 0;
    if (lead == 0xF4U && byte(i + 1) > 0x8FU) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

bool ChannelName::valid(std::string_view text) {
  if (text.empty() || text.size() > kChannelNameBytesMax) return false;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = step(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

Result<ChannelName> ChannelName::parse(std::string_view text) {
  if (valid(text)) return ChannelName(text);
  return fail(ErrorCode::channel_name_invalid,
              text.size() > kChannelNameBytesMax
                  ? "the channel name has more than 255 bytes"
                  : "a channel name is 1 to 255 bytes of UTF-8 without control characters");
}

// FNV-1a with a final mix: short, the same everywhere, and good enough in its low bits for a
// modulus.
std::uint64_t stable_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  hash ^= hash >> 33U;
  hash *= 0xff51afd7ed558ccdU;
  return hash ^ (hash >> 33U);
}

}  // namespace peal
