#pragma once
// Range and Content-Range of bytes (RFC 9110, 14). One range is served; of several the whole is
// (a server may ignore Range), and so it is of what can't be understood. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal::gateway::http {

/// Bytes `first` up to, but not including, `end`.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - first; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct RangeAnswer {
  enum class Kind : std::uint8_t { whole, part, unsatisfiable } kind = Kind::whole;
  ByteRange range;  ///< of a part
};
/// What a Range header asks of `size` bytes; empty: the whole.
RangeAnswer resolve_range(std::string_view header, std::uint64_t size);

/// "bytes a-b/*" of a request that appends; null for anything else, and when b < a.
std::optional<ByteRange> parse_append_range(std::string_view header);

/// "bytes 0-4/10"
std::string content_range(const ByteRange& range, std::uint64_t size);
/// "bytes */10": none of it
std::string content_range(std::uint64_t size);

}  // namespace peal::gateway::http
