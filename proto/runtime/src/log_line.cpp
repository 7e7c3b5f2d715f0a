#include "log_line.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "peal/proto/json.hpp"

namespace peal::runtime {
namespace {

void append_number(std::string& out, auto number) {
  char buffer[32];
  const auto written = std::to_chars(buffer, buffer + sizeof buffer, number);
  out.append(buffer, written.ptr);
}

bool needs_quotes(std::string_view text) {
  return text.empty() || !std::ranges::all_of(text, [](char c) {
           return c > ' ' && c < '\x7f' && c != '"' && c != '\\' && c != '=';
         });
}

/// Text as it is shown to a person; quotes only where they are needed (or always, for JSON).
void append_value(std::string& out, const LogValue& value, bool json) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    if (json || needs_quotes(*text)) {
      append_json_text(out, *text);
    } else {
      out += *text;
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* real = std::get_if<double>(&value)) {
    if (std::isfinite(*real) || !json) {
      append_number(out, *real);
    } else {
      out += "null";
    }
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    append_number(out, *number);
  } else {
    append_number(out, std::get<std::uint64_t>(value));
  }
}

}  // namespace

std::string text_line(std::string_view prefix, std::string_view message, LogFields fields) {
  std::string line;
  if (!prefix.empty()) {
    line += '[';
    line += prefix;
    line += "] ";
  }
  const bool printable =
      std::ranges::all_of(message, [](char c) { return c >= ' ' && c < '\x7f'; });
  if (printable) {
    line += message;
  } else {
    append_json_text(line, message);
  }
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value, false);
  }
  return line;
}

std::string json_line_tail(LogLevel level, std::string_view prefix, std::string_view message,
                           LogFields fields) {
  std::string line = "\"level\":\"";
  line += name_of(level);
  line += '"';
  if (!prefix.empty()) {
    line += ",\"component\":";
    append_json_text(line, prefix);
  }
  line += ",\"message\":";
  append_json_text(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_text(line, field.key);
    line += ':';
    append_value(line, field.value, true);
  }
  line += '}';
  return line;
}

}  // namespace peal::runtime
