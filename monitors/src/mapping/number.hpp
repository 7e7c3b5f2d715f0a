#pragma once
// JSON numbers compared exactly, whatever their size: a bigint or a numeric must not pass through a
// double. Pure.

#include <compare>
#include <string>
#include <string_view>

namespace peal::monitor {

/// One text for each number: 1, 1.0 and 10e-1 give the same. `json` is a valid JSON number.
std::string canonical_number(std::string_view json);

/// Of two valid JSON numbers.
std::strong_ordering compare_numbers(std::string_view left, std::string_view right);

}  // namespace peal::monitor
