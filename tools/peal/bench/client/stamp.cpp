#include "bench/client/stamp.hpp"

#include <charconv>
#include <chrono>

namespace peal::bench {
namespace {

constexpr std::string_view kBefore = "\"peal\":\"";

void append_hex(std::string& out, std::uint64_t value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    out += "0123456789abcdef"[value >> shift & 15];
  }
}

template <class Number>
bool read_hex(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string stamped_message(const Stamp& stamp, std::size_t size) {
  std::string out = "{";
  out += kBefore;
  append_hex(out, stamp.run, 8);
  append_hex(out, stamp.publisher, 4);
  append_hex(out, stamp.number, 8);
  append_hex(out, stamp.time_ns, 16);
  constexpr std::string_view kPad = "\",\"pad\":\"";
  constexpr std::string_view kEnd = "\"}";
  const std::size_t least = out.size() + kPad.size() + kEnd.size();
  if (size >= least) {
    out += kPad;
    out.append(size - least, 'x');
  }
  return out += kEnd;
}

std::optional<Stamp> find_stamp(std::string_view text) {
  const auto at = text.find(kBefore);
  if (at == std::string_view::npos || text.size() - at - kBefore.size() < kStampDigits) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(at + kBefore.size(), kStampDigits);
  Stamp stamp;
  if (!read_hex(digits.substr(0, 8), stamp.run) ||
      !read_hex(digits.substr(8, 4), stamp.publisher) ||
      !read_hex(digits.substr(12, 8), stamp.number) ||
      !read_hex(digits.substr(20, 16), stamp.time_ns)) {
    return std::nullopt;
  }
  return stamp;
}

std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace peal::bench
