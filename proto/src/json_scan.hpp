#pragma once
// The scalar scanners that the JSON validator and reader share. All are bounds-checked: `at` walks
// towards `end` and never passes it, whatever the bytes are.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace peal::json {

inline bool space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}
inline bool digit(char c) {
  return c >= '0' && c <= '9';
}

inline const char* skip_space(const char* at, const char* end) {
  while (at != end && space(*at))
    ++at;
  return at;
}

/// The first quote, backslash or C0 control character at or after `at`; `end` when there is none.
/// Eight bytes a step: the lowest flagged byte of a little-endian word is exact, since a borrow
/// only ever reaches higher bytes.
inline const char* plain_end(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighs = kOnes * 0x80U;
  const auto zero_bytes = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t found = zero_bytes(word ^ (kOnes * '"')) |
                                zero_bytes(word ^ (kOnes * '\\')) |
                                ((word - kOnes * 0x20U) & ~word & kHighs);
    if (found != 0) {
      if constexpr (std::endian::native == std::endian::little) {
        return at + std::countr_zero(found) / 8;
      }
      break;
    }
    at += 8;
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20U)
    ++at;
  return at;
}

/// One escape, `at` behind its backslash. Writes the character's UTF-8 to `out` unless it is null.
/// Returns the byte behind the escape, or null when it is none (a lone surrogate is none).
const char* escape(const char* at, const char* end, std::string* out);

/// A whole string, `at` on its opening quote; likewise.
const char* string(const char* at, const char* end, std::string* out);

/// A number by JSON's grammar, whatever its value. Returns the byte behind it, or null.
const char* number(const char* at, const char* end);

}  // namespace peal::json
