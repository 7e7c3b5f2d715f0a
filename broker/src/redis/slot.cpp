// CRC16 (XMODEM) of a key, or of what stands in its first {}, modulo 16384: as the Cluster
// specification has it.
#include <array>

#include "peal/redis/client.hpp"

namespace peal::redis {
namespace {

constexpr std::uint16_t kSlots = 16384;

constexpr std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte << 8U;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    }
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr auto kTable = make_table();

std::string_view hashed_part(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const std::size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
  std::uint16_t crc = 0;
  for (const char each : hashed_part(key)) {
    const auto index = static_cast<std::uint8_t>((crc >> 8U) ^ static_cast<std::uint8_t>(each));
    crc = static_cast<std::uint16_t>(static_cast<std::uint16_t>(crc << 8U) ^ kTable[index]);
  }
  return crc % kSlots;
}

}  // namespace peal::redis
