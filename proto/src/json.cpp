#include "peal/proto/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <deque>

#include "json_scan.hpp"
#include "json_validator.hpp"

// simdjson checks UTF-8, at many bytes a cycle and without padding. Its DOM is no use here: it
// refuses numbers that it cannot represent (2^64, 1e400), while Peal passes every valid number on
// unchanged.

namespace peal {
namespace {

/// Behind the value at `at` (already valid); null when it has no end, on text that was not
/// validated.
const char* skip_value(const char* at, const char* end) {
  std::size_t depth = 0;
  do {
    if (at == end) return nullptr;
    if (*at == '"') {
      at = json::string(at, end, nullptr);
      if (!at) return nullptr;
    } else if (*at == '{' || *at == '[') {
      ++depth;
      ++at;
    } else if (*at == '}' || *at == ']') {
      if (depth-- == 0) return nullptr;
      ++at;
    } else if (depth > 0) {
      ++at;
    } else {
      while (at != end && !json::space(*at) && *at != ',' && *at != '}' && *at != ']')
        ++at;
    }
  } while (depth > 0);
  return at;
}

Error not_a(const char* what) {
  return fail(ErrorCode::command_invalid, std::string("this is no JSON ") + what);
}

/// Whether `bytes` are the UTF-8 of just one character.
bool one_character(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes.front());
  const std::size_t length = lead < 0x80U ? 1 : lead < 0xE0U ? 2 : lead < 0xF0U ? 3 : 4;
  return length == bytes.size() && simdjson::validate_utf8(bytes);
}

/// Cuts a container's brackets off: its inner part, or null when it is none.
std::optional<std::string_view> inner(std::string_view text, char open, char shut) {
  const char* at = json::skip_space(text.data(), text.data() + text.size());
  const char* end = text.data() + text.size();
  while (end != at && json::space(end[-1]))
    --end;
  if (end - at < 2 || *at != open || end[-1] != shut) return std::nullopt;
  return std::string_view(at + 1, end - 1);
}

}  // namespace

struct JsonReader::Impl {
  json::Validator validator;
  std::vector<JsonField> fields;
  std::vector<std::string_view> elements;
  std::vector<json::Validator::Note> notes;
  std::vector<JsonMember> members;
  std::deque<std::string> member_names;  ///< of members whose names had escapes
  std::deque<std::string> unescaped;  ///< keys that had escapes; a deque, since views point into it
};

JsonReader::JsonReader() : impl_(std::make_unique<Impl>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;

namespace {

Result<void> verdict(const json::Validator::Outcome& outcome, std::string_view text,
                     std::size_t depth_max) {
  if (outcome.problem) {
    std::string message =
        "not valid JSON, byte " + std::to_string(outcome.at) + ": " + outcome.problem;
    if (outcome.too_deep) message += " (" + std::to_string(depth_max) + ")";
    return fail(ErrorCode::message_invalid, std::move(message));
  }
  if (!simdjson::validate_utf8(text)) return fail(ErrorCode::message_invalid, "not valid UTF-8");
  return {};
}

}  // namespace

Result<void> JsonReader::validate(std::string_view text, std::size_t depth_max) {
  return verdict(impl_->validator.run(text, depth_max), text, depth_max);
}

Result<const std::vector<JsonMember>*> JsonReader::outline(std::string_view text,
                                                           std::size_t depth_max) {
  constexpr std::size_t kMembersKept = 4096;
  Impl& self = *impl_;
  if (self.notes.capacity() > kMembersKept) self.notes = {};
  if (self.members.capacity() > kMembersKept) self.members = {};
  self.members.clear();
  self.member_names.clear();
  const auto outcome = self.validator.run(text, depth_max, &self.notes);
  if (auto valid = verdict(outcome, text, depth_max); !valid) return valid.error();
  for (const json::Validator::Note& note : self.notes) {
    std::string_view name = note.name;
    if (name.find('\\') != std::string_view::npos) {
      json::string(name.data() - 1, name.data() + name.size() + 1,
                   &self.member_names.emplace_back());
      name = self.member_names.back();
    }
    self.members.push_back({name, {note.begin, note.end}, note.parent});
  }
  return &self.members;
}

Result<std::vector<JsonField>*> JsonReader::fields(std::string_view text) {
  impl_->fields.clear();
  impl_->unescaped.clear();
  const auto body = inner(text, '{', '}');
  if (!body) return not_a("object");
  const char* const end = body->data() + body->size();
  const char* at = json::skip_space(body->data(), end);
  while (at != end) {
    const char* const key = at;
    at = json::string(at, end, nullptr);
    if (!at) return not_a("object");
    std::string_view name(key + 1, at - 1);
    if (name.find('\\') != std::string_view::npos) {
      json::string(key, end, &impl_->unescaped.emplace_back());
      name = impl_->unescaped.back();
    }
    at = json::skip_space(at, end);
    if (at == end || *at != ':') return not_a("object");
    const char* const value = json::skip_space(at + 1, end);
    at = skip_value(value, end);
    if (!at || at == value) return not_a("object");
    impl_->fields.push_back({name, {value, at}});
    at = json::skip_space(at, end);
    if (at == end) break;
    if (*at != ',') return not_a("object");
    at = json::skip_space(at + 1, end);
    if (at == end) return not_a("object");
  }
  return &impl_->fields;
}

Result<std::vector<std::string_view>*> JsonReader::elements(std::string_view text) {
  impl_->elements.clear();
  const auto body = inner(text, '[', ']');
  if (!body) return not_a("array");
  const char* const end = body->data() + body->size();
  const char* at = json::skip_space(body->data(), end);
  while (at != end) {
    const char* const value = at;
    at = skip_value(value, end);
    if (!at || at == value) return not_a("array");
    impl_->elements.emplace_back(value, at);
    at = json::skip_space(at, end);
    if (at == end) break;
    if (*at != ',') return not_a("array");
    at = json::skip_space(at + 1, end);
    if (at == end) return not_a("array");
  }
  return &impl_->elements;
}

bool JsonReader::is_utf8(std::string_view bytes) {
  return simdjson::validate_utf8(bytes);
}

std::optional<std::uint64_t> JsonReader::as_uint(std::string_view raw) {
  if (raw.empty() || !json::digit(raw.front())) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::optional<bool> JsonReader::as_bool(std::string_view raw) {
  if (raw == "true") return true;
  if (raw == "false") return false;
  return std::nullopt;
}

std::optional<std::string> JsonReader::as_string(std::string_view raw) {
  if (raw.empty()) return std::nullopt;
  std::string text;
  text.reserve(raw.size());
  const char* const end = raw.data() + raw.size();
  if (json::string(raw.data(), end, &text) != end) return std::nullopt;
  return text;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  out += '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    const char* const stop = json::plain_end(at, end);
    out.append(at, stop);
    if (stop == end) break;
    const char c = *stop;
    at = stop + 1;
    out += '\\';
    switch (c) {
      case '"':
      case '\\':
        out += c;
        break;
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      case '\t':
        out += 't';
        break;
      default:
        out += "u00";
        out += kHex[static_cast<unsigned char>(c) >> 4U];
        out += kHex[static_cast<unsigned char>(c) & 0xFU];
    }
  }
  out += '"';
}

void append_json_text(std::string& out, std::string_view bytes) {
  if (simdjson::validate_utf8(bytes)) return append_json_string(out, bytes);
  std::string clean;
  for (std::size_t i = 0; i < bytes.size();) {
    // The longest sequence that could be one character, else one replacement for this byte.
    std::size_t length = std::min<std::size_t>(4, bytes.size() - i);
    while (length > 0 && !one_character(bytes.substr(i, length)))
      --length;
    clean += length > 0 ? bytes.substr(i, length) : "\xef\xbf\xbd";
    i += std::max<std::size_t>(length, 1);
  }
  append_json_string(out, clean);
}

}  // namespace peal
