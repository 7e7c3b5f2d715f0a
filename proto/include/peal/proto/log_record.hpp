#pragma once
// A publication of a log as one JSON object. Exact, it holds all that the log has of it, byte for
// byte, on one line, and can be read back:
//   {"offset":7,"byte"?:N,"key"?,"delete"?:true,"type"?,"tags"?,"source"?,"sequence"?:"1-2",
//    "origin"?,"time"?:ms,"unknown_base64"?, "message":JSON | "base64":"…"}
// `byte` is where its payload begins in the log's bytes. `message` is the payload itself, when that
// is JSON that fits a line as it is. A text that is not UTF-8 is under its name with "_base64".
// Readable, bytes that are no JSON are "text" when they are text, as in the client protocol.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/json.hpp"
#include "peal/proto/publication.hpp"
#include "peal/proto/result.hpp"

namespace peal {

enum class RecordForm : std::uint8_t { readable, exact };

/// `byte`: exact form only.
void append_log_record(std::string& out, const PublicationView& publication, RecordForm form,
                       std::optional<std::uint64_t> byte, JsonReader& reader);

struct LogRecord {
  Publication publication;
  std::optional<std::uint64_t> byte;
};
/// `json` is a validated object in exact form.
Result<LogRecord> read_log_record(std::string_view json, JsonReader& reader);

}  // namespace peal
