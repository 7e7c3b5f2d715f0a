#include "postgres/json_value.hpp"

#include <cctype>

namespace peal::monitor {
namespace {

// Numbers of types that never change (pg_type.dat).
enum Type : std::uint32_t {
  kBool = 16,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kVarchar = 1043,
  kDate = 1082,
  kTimestamp = 1114,
  kTimestamptz = 1184,
  kNumeric = 1700,
  kUuid = 2950,
  kJsonb = 3802,
};

std::string string_of(std::string_view text) {
  std::string json;
  append_json_text(json, text);
  return json;
}

/// "2026-01-02 03:04:05+00" as ISO 8601 wants it.
std::string instant(std::string_view text, bool zone) {
  std::string out(text);
  if (const auto space = out.find(' '); space != std::string::npos) out[space] = 'T';
  // An hour alone: +00 becomes +00:00.
  if (zone && out.size() > 3 && (out[out.size() - 3] == '+' || out[out.size() - 3] == '-') &&
      out.find('T') != std::string::npos)
    out += ":00";
  return string_of(out);
}

}  // namespace

bool JsonValues::knows(std::uint32_t type) const {
  switch (type) {
    case kBool:
    case kInt8:
    case kInt2:
    case kInt4:
    case kText:
    case kJson:
    case kFloat4:
    case kFloat8:
    case kVarchar:
    case kDate:
    case kTimestamp:
    case kTimestamptz:
    case kNumeric:
    case kUuid:
    case kJsonb:
      return true;
    default:
      return types_.contains(type);
  }
}

std::string JsonValues::json(std::uint32_t type, std::string_view text) {
  switch (type) {
    case kBool:
      return text == "t" ? "true" : "false";
    case kInt8:
    case kInt2:
    case kInt4:
    case kFloat4:
    case kFloat8:
    case kNumeric:  // NaN and Infinity are none of JSON's numbers
      return std::isalpha(static_cast<unsigned char>(text.back())) != 0 ? string_of(text)
                                                                        : std::string(text);
    case kJson:
    case kJsonb:
      return reader_.validate(text) ? std::string(text) : string_of(text);
    case kTimestamp:
      return instant(text, false);
    case kTimestamptz:
      return instant(text, true);
    default:
      break;
  }
  const auto known = types_.find(type);
  if (known == types_.end()) return string_of(text);
  if (known->second.base != 0) return json(known->second.base, text);
  return known->second.element != 0 ? array(known->second.element, text) : string_of(text);
}

/// array := [ bounds '=' ] '{' [ item { ',' item } ] '}'   item := array | "text" | text | NULL
std::string JsonValues::array(std::uint32_t element, std::string_view text) {
  std::string out;
  std::size_t at = text.starts_with('[') ? text.find('=') + 1 : 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '{' || c == '}') {
      out += c == '{' ? '[' : ']';
    } else if (c == ',') {
      out += ',';
    } else {
      std::string item;
      const bool quoted = c == '"';
      for (at += quoted ? 1 : 0; at < text.size(); ++at) {
        if (quoted ? text[at] == '"' : (text[at] == ',' || text[at] == '}')) break;
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        item += text[at];
      }
      out += !quoted && item == "NULL" ? "null" : json(element, item);
      if (!quoted) --at;  // the comma or brace is looked at again
    }
  }
  return reader_.validate(out) ? out : string_of(text);
}

}  // namespace peal::monitor
