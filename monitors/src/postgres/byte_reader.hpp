#pragma once
// Reads big-endian numbers and texts off the front of bytes; past the end everything is 0, and
// `failed` says so.

#include <cstdint>
#include <string_view>

namespace peal::monitor {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number number() {
    const std::string_view taken = bytes(sizeof(Number));
    std::uint64_t value = 0;
    for (const char c : taken)
      value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<Number>(value);
  }
  char letter() { return number<char>(); }
  /// Up to a zero byte, which it passes.
  std::string_view text() {
    const auto end = bytes_.find('\0');
    if (end == std::string_view::npos) failed_ = true;
    const std::string_view taken = bytes(failed_ ? 0 : end);
    if (!failed_) bytes_.remove_prefix(1);
    return taken;
  }
  std::string_view bytes(std::size_t size) {
    if (size > bytes_.size()) failed_ = true;
    if (failed_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view rest() const { return bytes_; }
  bool failed() const { return failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace peal::monitor
