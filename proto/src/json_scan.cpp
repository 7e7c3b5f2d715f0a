#include "json_scan.hpp"

namespace peal::json {
namespace {

constexpr std::uint32_t kNoHex = 0xffffffffU;

std::uint32_t hex4(const char* at, const char* end) {
  if (end - at < 4) return kNoHex;
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    std::uint32_t nibble = 0;
    if (digit(c)) {
      nibble = static_cast<std::uint32_t>(c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      nibble = static_cast<std::uint32_t>((c | 0x20) - 'a') + 10;
    } else {
      return kNoHex;
    }
    value = value << 4U | nibble;
  }
  return value;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (c < 0x80U) {
    byte(c);
  } else if (c < 0x800U) {
    byte(0xC0U | c >> 6U);
    byte(0x80U | (c & 0x3FU));
  } else if (c < 0x10000U) {
    byte(0xE0U | c >> 12U);
    byte(0x80U | (c >> 6U & 0x3FU));
    byte(0x80U | (c & 0x3FU));
  } else {
    byte(0xF0U | c >> 18U);
    byte(0x80U | (c >> 12U & 0x3FU));
    byte(0x80U | (c >> 6U & 0x3FU));
    byte(0x80U | (c & 0x3FU));
  }
}

/// `at` behind the `u`.
const char* unicode_escape(const char* at, const char* end, std::string* out) {
  std::uint32_t c = hex4(at, end);
  if (c == kNoHex) return nullptr;
  at += 4;
  if (c >= 0xD800U && c <= 0xDFFFU) {
    if (c >= 0xDC00U || end - at < 6 || at[0] != '\\' || at[1] != 'u') return nullptr;
    const std::uint32_t low = hex4(at + 2, end);
    if (low < 0xDC00U || low > 0xDFFFU) return nullptr;
    at += 6;
    c = 0x10000U + ((c - 0xD800U) << 10U) + (low - 0xDC00U);
  }
  if (out) append_utf8(*out, c);
  return at;
}

const char* digits(const char* at, const char* end) {
  while (at != end && digit(*at))
    ++at;
  return at;
}

}  // namespace

const char* escape(const char* at, const char* end, std::string* out) {
  if (at == end) return nullptr;
  char c = *at++;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      break;
    case 'b':
      c = '\b';
      break;
    case 'f':
      c = '\f';
      break;
    case 'n':
      c = '\n';
      break;
    case 'r':
      c = '\r';
      break;
    case 't':
      c = '\t';
      break;
    case 'u':
      return unicode_escape(at, end, out);
    default:
      return nullptr;
  }
  if (out) *out += c;
  return at;
}

const char* string(const char* at, const char* end, std::string* out) {
  if (at == end || *at != '"') return nullptr;
  ++at;
  for (;;) {
    const char* const stop = plain_end(at, end);
    if (out) out->append(at, stop);
    if (stop == end) return nullptr;
    if (*stop == '"') return stop + 1;
    if (*stop != '\\') return nullptr;
    at = escape(stop + 1, end, out);
    if (!at) return nullptr;
  }
}

const char* number(const char* at, const char* end) {
  if (at != end && *at == '-') ++at;
  if (at == end || !digit(*at)) return nullptr;
  at = *at == '0' ? at + 1 : digits(at, end);
  if (at != end && *at == '.') {
    const char* const from = ++at;
    at = digits(at, end);
    if (at == from) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    const char* const from = at;
    at = digits(at, end);
    if (at == from) return nullptr;
  }
  return at;
}

}  // namespace peal::json
