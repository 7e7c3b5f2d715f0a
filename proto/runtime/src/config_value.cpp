#include "config_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "peal/proto/json.hpp"

namespace peal::runtime {
namespace {

using std::chrono::milliseconds;
using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::array<Unit, 7> kSizeUnits = {{{"", 1},
                                             {"KiB", 1024},
                                             {"MiB", 1024 * 1024},
                                             {"GiB", 1024 * 1024 * 1024},
                                             {"KB", 1000},
                                             {"MB", 1'000'000},
                                             {"GB", 1'000'000'000}}};
constexpr std::array<Unit, 5> kDurationUnits = {
    {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::uint64_t kDurationMax = 3650ULL * 86'400'000;

/// Digits and a unit; null for anything else and for what does not fit.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const auto& units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(end, text.data() + text.size());
  const auto* const found = std::ranges::find(units, unit, &Unit::first);
  if (found == units.end()) return std::nullopt;
  if (number > std::numeric_limits<std::uint64_t>::max() / found->second) return std::nullopt;
  return number * found->second;
}

}  // namespace

std::optional<std::size_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits);
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return milliseconds(0);
  const auto value = parse_with_unit(text, kDurationUnits);
  if (!value || *value > kDurationMax) return std::nullopt;
  return milliseconds(*value);
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::string format_size(std::size_t value, bool bytes) {
  const Unit* best = kSizeUnits.begin();
  for (const Unit& unit : kSizeUnits) {
    const bool binary = unit.second % 1024 == 0;
    if (bytes && binary && value != 0 && value % unit.second == 0) best = &unit;
  }
  const std::string number = std::to_string(value / best->second);
  return best->second == 1 ? number : "\"" + number + std::string(best->first) + "\"";
}

std::string format_duration(milliseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  const Unit* best = kDurationUnits.begin();
  for (const Unit& unit : kDurationUnits) {
    if (count != 0 && count % unit.second == 0) best = &unit;
  }
  if (count == 0) return "\"0s\"";
  return "\"" + std::to_string(count / best->second) + std::string(best->first) + "\"";
}

std::string toml_string(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table; the oldest one serves swaps.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wrong, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace peal::runtime
