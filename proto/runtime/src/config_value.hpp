#pragma once
// Config values as people write them: "512KiB", "10s", true. Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peal::runtime {

/// 64, 512KiB, 1MiB, 2GiB; KB, MB, GB are powers of 1000.
std::optional<std::size_t> parse_size(std::string_view text);
/// 250ms, 10s, 5m, 2h, 30d; 0 needs no unit. Ten years at most.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::optional<bool> parse_boolean(std::string_view text);

std::string format_size(std::size_t value, bool bytes);
std::string format_duration(std::chrono::milliseconds value);
std::string toml_string(std::string_view text);

/// The one of `names` that `wrong` most likely meant; empty when none is near. A swap of neighbours
/// counts as one mistake.
std::string nearest(std::string_view wrong, const std::vector<std::string>& names);
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace peal::runtime
