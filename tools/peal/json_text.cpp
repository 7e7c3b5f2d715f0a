#include "json_text.hpp"

#include <cmath>
#include <cstdio>

namespace peal::cli {
namespace {

/// How many bytes at the front of `text` are one UTF-8 code point; 0: none is.
std::size_t code_point_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const auto tail = [&](std::size_t size) {
    for (std::size_t i = 1; i < size; ++i) {
      if (i >= text.size() || (byte(i) & 0xC0) != 0x80) {
        return false;
      }
    }
    return true;
  };
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return tail(2) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF && tail(3)) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && tail(4)) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_high = first == 0xF4 && byte(1) >= 0x90;
    return overlong || too_high ? 0 : 4;
  }
  return 0;
}

std::string repaired_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = code_point_size(text);
    if (size == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else {
      out += text.substr(0, size);
      text.remove_prefix(size);
    }
  }
  return out;
}

}  // namespace

JsonObject::JsonObject(std::string_view text) {
  if (text.empty() || text.front() != '{') {
    return;
  }
  JsonReader reader;
  if (auto fields = reader.fields(text)) {
    for (const auto& field : **fields) {
      members_.emplace_back(std::string(field.key), std::string(field.raw));
    }
  }
}

std::string_view JsonObject::raw(std::string_view name) const {
  for (const auto& [key, value] : members_) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

std::string JsonObject::text(std::string_view name) const {
  const std::string_view value = raw(name);
  if (auto string = JsonReader::as_string(value)) {
    return *string;
  }
  return std::string(value);
}

std::uint64_t JsonObject::number(std::string_view name) const {
  return JsonReader::as_uint(raw(name)).value_or(0);
}

bool JsonObject::boolean(std::string_view name) const {
  return JsonReader::as_bool(raw(name)).value_or(false);
}

std::vector<JsonObject> JsonObject::objects(std::string_view name) const {
  std::vector<JsonObject> out;
  const std::string_view list = raw(name);
  if (list.empty() || list.front() != '[') {
    return out;
  }
  JsonReader reader;
  if (auto elements = reader.elements(list)) {
    for (const auto& element : **elements) {
      out.emplace_back(element);
    }
  }
  return out;
}

void JsonBuilder::name(std::string_view name) {
  if (out_.size() > 1) {
    out_ += ',';
  }
  append_json_string(out_, name);
  out_ += ':';
}

JsonBuilder& JsonBuilder::text(std::string_view key, std::string_view value) {
  name(key);
  append_json_string(out_, value);
  return *this;
}

JsonBuilder& JsonBuilder::raw(std::string_view key, std::string_view json) {
  name(key);
  out_ += json;
  return *this;
}

JsonBuilder& JsonBuilder::number(std::string_view key, std::uint64_t value) {
  return raw(key, std::to_string(value));
}

JsonBuilder& JsonBuilder::number(std::string_view key, double value) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.6g", std::isfinite(value) ? value : 0.0);
  return raw(key, buffer);
}

JsonBuilder& JsonBuilder::boolean(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string minify(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < json.size()) {
        out += json[++i];
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      in_string = c == '"';
      out += c;
    }
  }
  return out;
}

std::string message_json(JsonReader& reader, std::string_view typed) {
  if (reader.validate(typed)) {
    return std::string(typed);
  }
  return json_string(repaired_utf8(typed));
}

}  // namespace peal::cli
