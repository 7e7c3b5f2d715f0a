#pragma once
// What the core decides per channel. The first matching rule of the config wins; none: ephemeral.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace peal::broker {

struct ChannelOptions {
  bool recoverable = false;
  /// What is kept; above, the oldest goes (or appends are refused with log_full).
  std::size_t history_length_max = 1000;
  std::size_t history_bytes_max = 8 * 1024 * 1024;
  std::chrono::seconds history_age_max{300};  ///< 0: for ever
  /// Of each key only the last publication is kept (those without a key as ever).
  bool compact = false;
  /// Nothing goes by length, bytes or age: what would not fit is refused. For files.
  bool refuse_when_full = false;
  /// The core keeps who is there.
  bool presence = false;
  /// Tell kOccupancyChannel when the first session comes and after the last one has gone.
  bool occupancy = false;
  friend bool operator==(const ChannelOptions&, const ChannelOptions&) = default;
};

/// What a rule for a channel asks of its core: the gateways' rules and the brokers' have the same
/// fields for it.
template <class Rule>
ChannelOptions options_of_rule(const Rule& rule) {
  return {.recoverable = rule.recoverable || rule.file,
          .history_length_max = rule.history_length_max,
          .history_bytes_max = rule.history_bytes_max,
          .history_age_max = rule.history_age_max,
          .compact = rule.compact,
          .refuse_when_full = rule.file,
          .presence = rule.presence != "nobody",
          .occupancy = rule.occupancy};
}

/// Where {"event":"occupied"|"vacated","channel":…} and {"event":"reset"} are published, for
/// backends.
inline constexpr std::string_view kOccupancyChannel = "peal:occupancy";

enum class Occupancy : std::uint8_t {
  occupied,
  vacated,
  reset,  ///< a core has started: what was told before is forgotten, what is occupied follows
};
/// The message that says so; `channel` is empty with reset.
std::string occupancy_json(Occupancy what, std::string_view channel);

using OptionsOf = std::function<ChannelOptions(std::string_view channel)>;

}  // namespace peal::broker
