// Sec-WebSocket-Accept is base64(SHA-1(key + a fixed GUID)). SHA-1 stands here (FIPS 180-4) rather
// than OpenSSL's, whose one door is the TLS transport; it guards nothing, it only shows that both
// sides mean it.

#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "websocket/codec.hpp"

namespace peal::gateway::websocket {
namespace {

using Digest = std::array<std::uint32_t, 5>;

void sha1_block(Digest& digest, const unsigned char* block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = std::uint32_t{block[4 * i]} << 24U | std::uint32_t{block[4 * i + 1]} << 16U |
           std::uint32_t{block[4 * i + 2]} << 8U | std::uint32_t{block[4 * i + 3]};
  }
  for (std::size_t i = 16; i < 80; ++i) {
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  auto [a, b, c, d, e] = digest;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t f = 0;
    std::uint32_t k = 0;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999U;
    } else if (i < 40) {
      f = b ^ c ^ d;
      k = 0x6ED9EBA1U;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDCU;
    } else {
      f = b ^ c ^ d;
      k = 0xCA62C1D6U;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  digest[0] += a;
  digest[1] += b;
  digest[2] += c;
  digest[3] += d;
  digest[4] += e;
}

std::array<unsigned char, 20> sha1(std::string text) {
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  text.push_back('\x80');
  while (text.size() % 64 != 56)
    text.push_back('\0');
  for (int shift = 56; shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>((bits >> static_cast<unsigned>(shift)) & 0xFFU));
  }
  Digest digest{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
  for (std::size_t i = 0; i < text.size(); i += 64) {
    sha1_block(digest, reinterpret_cast<const unsigned char*>(text.data()) + i);
  }
  std::array<unsigned char, 20> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<unsigned char>(digest[i / 4] >> (24 - 8 * (i % 4)));
  }
  return out;
}

}  // namespace

std::string accept_key(std::string_view key) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto digest = sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  std::string out;
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    const bool third = i + 2 < digest.size();
    const unsigned group = unsigned{digest[i]} << 16U | unsigned{digest[i + 1]} << 8U |
                           (third ? unsigned{digest[i + 2]} : 0U);
    out += kAlphabet[group >> 18U];
    out += kAlphabet[(group >> 12U) & 63U];
    out += kAlphabet[(group >> 6U) & 63U];
    out += third ? kAlphabet[group & 63U] : '=';
  }
  return out;
}

}  // namespace peal::gateway::websocket
