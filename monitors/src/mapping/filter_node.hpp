#pragma once
// The tree of a parsed Filter.

#include <memory>
#include <string>
#include <vector>

#include "peal/monitor/filter.hpp"

namespace peal::monitor {

struct Filter::Node {
  enum class Kind : std::uint8_t { all, any, negation, is_null, in, equal, less, less_or_equal };

  Kind kind = Kind::all;
  std::vector<std::unique_ptr<Node>> children{};  ///< all, any, negation (one)
  std::string column{};
  std::vector<std::string> values{};  ///< JSON scalars
};

/// Parses the whole of `text`.
Result<std::unique_ptr<Filter::Node>> parse_filter(std::string_view text);

}  // namespace peal::monitor
