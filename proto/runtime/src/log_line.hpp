#pragma once
// One log event as one line. Pure. Values come from clients too, so that nothing in them can begin
// a line of its own or break the JSON: control characters are escaped, broken UTF-8 is replaced.

#include <string>
#include <string_view>

#include "peal/runtime/logger.hpp"

namespace peal::runtime {

/// `[prefix] message key=value other="two words"`
std::string text_line(std::string_view prefix, std::string_view message, LogFields fields);

/// `"level":"info","component":"…","message":"…","key":value}`: what follows the time in a JSON
/// line.
std::string json_line_tail(LogLevel level, std::string_view prefix, std::string_view message,
                           LogFields fields);

}  // namespace peal::runtime
