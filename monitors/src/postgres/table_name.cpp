#include "postgres/table_name.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace peal::monitor {
namespace {

/// Letters that must be put in, taken out or replaced.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

TableName table_name(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return {"public", std::string(text)};
  return {std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
}

std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& names) {
  std::size_t least = wrong.size() / 2 + 1;
  const std::string* near = nullptr;
  for (const std::string& name : names) {
    const std::size_t far = distance(wrong, name);
    if (far < least) {
      least = far;
      near = &name;
    }
  }
  return near == nullptr ? std::string() : " (did you mean " + *near + "?)";
}

}  // namespace peal::monitor
