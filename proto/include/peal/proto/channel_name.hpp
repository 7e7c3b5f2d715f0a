#pragma once
// A channel's name: 1-255 bytes of UTF-8 without control characters (C0, DEL, C1). Everything else
// is the application's. `validate` is for hot paths that hold only a view; ChannelName owns a
// checked name.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "peal/proto/result.hpp"

namespace peal {

inline constexpr std::size_t kChannelNameBytesMax = 255;

class ChannelName {
 public:
  static Result<ChannelName> parse(std::string_view text);
  /// Whether `text` is a channel name; no allocation.
  static bool valid(std::string_view text);

  std::string_view view() const { return text_; }
  const std::string& string() const { return text_; }
  friend auto operator<=>(const ChannelName&, const ChannelName&) = default;

 private:
  explicit ChannelName(std::string_view text) : text_(text) {}
  std::string text_;
};

/// The hash that decides a channel's home shard and broker: the same on every machine and version.
std::uint64_t stable_hash(std::string_view name);

}  // namespace peal

template <>
struct std::hash<peal::ChannelName> {
  std::size_t operator()(const peal::ChannelName& name) const noexcept {
    return std::hash<std::string_view>{}(name.view());
  }
};
