#include "peal/proto/log_record.hpp"

#include <charconv>

#include "peal/proto/base64.hpp"

namespace peal {
namespace {

constexpr std::string_view kBase64 = "_base64";

void append_name(std::string& out, std::string_view name) {
  ((out += ",\"") += name) += "\":";
}

void append_bytes(std::string& out, std::string_view name, std::string_view bytes) {
  append_name(out, name);
  append_base64(out += '"', bytes);
  out += '"';
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  if (!JsonReader::is_utf8(text)) {
    return append_bytes(out, std::string(name) + std::string(kBase64), text);
  }
  append_name(out, name);
  append_json_string(out, text);
}

/// Whether `text` is JSON that stays what it is as a value on a line.
bool fits_a_line(std::string_view text, JsonReader& reader) {
  constexpr std::string_view kSpace = " \t\r\n";
  if (text.empty() || text.find_first_of("\r\n") != std::string_view::npos) return false;
  if (kSpace.find(text.front()) != std::string_view::npos) return false;
  if (kSpace.find(text.back()) != std::string_view::npos) return false;
  return reader.validate(text).has_value();
}

Error invalid(std::string_view what) {
  return fail(ErrorCode::command_invalid, "a record of a log: " + std::string(what));
}

bool read_integer(std::string_view raw, std::int64_t& number) {
  const char* end = raw.data() + raw.size();
  const auto [stop, error] = std::from_chars(raw.data(), end, number);
  return error == std::errc() && stop == end;
}

std::string* text_of(Publication& publication, std::string_view name) {
  if (name == "key") return &publication.key;
  if (name == "type") return &publication.type;
  if (name == "tags") return &publication.tags;
  if (name == "source") return &publication.source;
  if (name == "origin") return &publication.origin;
  if (name == "unknown") return &publication.unknown_fields;
  return nullptr;
}

/// False: of the wrong type.
bool read_number(LogRecord& record, const JsonField& field) {
  if (field.key == "time") return read_integer(field.raw, record.publication.time_ms);
  if (field.key == "sequence") {
    const auto text = JsonReader::as_string(field.raw);
    const auto sequence = text ? Sequence::parse(*text) : std::nullopt;
    if (sequence) record.publication.sequence = *sequence;
    return sequence.has_value();
  }
  if (field.key == "delete") {
    const auto deleted = JsonReader::as_bool(field.raw);
    if (deleted && *deleted) record.publication.kind = Kind::deletion;
    return deleted.has_value();
  }
  const auto number = JsonReader::as_uint(field.raw);
  if (!number || *number > kOffsetMax.value) return false;
  if (field.key == "byte") {
    record.byte = *number;
  } else {
    record.publication.offset = {*number};
  }
  return true;
}

bool read_text(LogRecord& record, const JsonField& field) {
  std::string_view name = field.key;
  const bool encoded = name.ends_with(kBase64);
  if (encoded) name.remove_suffix(kBase64.size());
  std::string* const text = text_of(record.publication, name);
  if (text == nullptr) return true;  // a newer version's
  if (name == "tags" && !encoded) {
    text->assign(field.raw);
    return true;
  }
  auto value = JsonReader::as_string(field.raw);
  if (value && encoded) value = decode_base64(*value);
  if (value) *text = std::move(*value);
  return value.has_value();
}

}  // namespace

void append_log_record(std::string& out, const PublicationView& publication, RecordForm form,
                       std::optional<std::uint64_t> byte, JsonReader& reader) {
  const bool exact = form == RecordForm::exact;
  out += "{\"offset\":" + std::to_string(publication.offset.value);
  if (exact && byte) out += ",\"byte\":" + std::to_string(*byte);
  append_text(out, "key", publication.key);
  if (publication.kind == Kind::deletion) out += ",\"delete\":true";
  append_text(out, "type", publication.type);
  if (fits_a_line(publication.tags, reader)) {
    append_name(out, "tags");
    out += publication.tags;
  } else if (!publication.tags.empty()) {
    append_bytes(out, "tags_base64", publication.tags);
  }
  append_text(out, "source", publication.source);
  if (!publication.source.empty()) {
    append_text(out, "sequence", publication.sequence.to_string());
  }
  append_text(out, "origin", publication.origin);
  if (publication.time_ms != 0) {
    append_name(out, "time");
    out += std::to_string(publication.time_ms);
  }
  if (exact && !publication.unknown_fields.empty()) {
    append_bytes(out, "unknown_base64", publication.unknown_fields);
  }
  const std::string_view payload = publication.payload;
  if (payload.empty() && publication.kind == Kind::deletion) {
    out += '}';
    return;
  }
  const bool json = publication.type.empty();
  if (json && (exact ? fits_a_line(payload, reader) : reader.validate(payload).has_value())) {
    append_name(out, "message");
    out += payload;
  } else if (!exact && JsonReader::is_utf8(payload)) {
    append_name(out, "text");
    append_json_string(out, payload);
  } else {
    append_bytes(out, "base64", payload);
  }
  out += '}';
}

Result<LogRecord> read_log_record(std::string_view json, JsonReader& reader) {
  const auto fields = reader.fields(json);
  if (!fields) return invalid("not an object");
  LogRecord record;
  bool payload = false;
  for (const JsonField& field : **fields) {
    bool good = true;
    if (field.key == "message") {
      record.publication.payload.assign(field.raw);
      payload = true;
    } else if (field.key == "base64") {
      const auto text = JsonReader::as_string(field.raw);
      auto bytes = text ? decode_base64(*text) : std::nullopt;
      good = bytes.has_value();
      if (good) record.publication.payload = std::move(*bytes);
      payload = true;
    } else if (field.key == "offset" || field.key == "byte" || field.key == "time" ||
               field.key == "sequence" || field.key == "delete") {
      good = read_number(record, field);
    } else {
      good = read_text(record, field);
    }
    if (!good) return invalid(std::string(field.key) + " is not what it should be");
  }
  if (record.publication.offset.value == 0) return invalid("offset is missing");
  if (!payload && record.publication.kind != Kind::deletion) return invalid("message is missing");
  return record;
}

}  // namespace peal
