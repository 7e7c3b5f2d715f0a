#pragma once
// Where something is in a channel's log: {epoch, offset}. An epoch is 8 of [0-9A-Za-z] and names
// one unbroken life of the log; offsets count from 1 within it, up to 2^53 - 1 so that JavaScript
// can hold them. Head is what a recoverable channel says of itself; no Head means the channel is
// ephemeral.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peal {

class Epoch {
 public:
  static constexpr std::size_t kSize = 8;
  constexpr Epoch() { text_.fill('0'); }
  /// Null when `text` is not 8 of [0-9A-Za-z].
  static std::optional<Epoch> parse(std::string_view text);
  std::string_view view() const { return {text_.data(), kSize}; }
  friend auto operator<=>(const Epoch&, const Epoch&) = default;

 private:
  std::array<char, kSize> text_;
};

struct Offset {
  std::uint64_t value = 0;
  Offset next() const { return {value + 1}; }
  friend auto operator<=>(const Offset&, const Offset&) = default;
};
inline constexpr Offset kOffsetMax{(std::uint64_t{1} << 53) - 1};

struct Position {
  Epoch epoch;
  Offset offset;
  friend bool operator==(const Position&, const Position&) = default;

  /// "epoch-offset", as in an ETag and in ?since=.
  std::string to_string() const;
  static std::optional<Position> parse(std::string_view text);
};

/// `floor` is the highest offset removed with no later publication of its key remaining.
struct Head {
  Epoch epoch;
  Offset top;
  Offset floor;
  friend bool operator==(const Head&, const Head&) = default;

  Position position() const { return {epoch, top}; }
  /// Whether a client at `since` can get all it missed (DESIGN: epoch equal, floor <= since <=
  /// top).
  bool covers(const Position& since) const {
    return since.epoch == epoch && floor <= since.offset && since.offset <= top;
  }
};

}  // namespace peal
