#pragma once
// The body of a request as a publication's payload and type: the one place that decides what is
// JSON. JSON has no type; everything else keeps its Content-Type byte for byte. Pure but for the
// reader's buffers.

#include <string_view>

#include "http/http_machine.hpp"
#include "peal/proto/json.hpp"
#include "peal/proto/limits.hpp"
#include "peal/proto/publication.hpp"

namespace peal::gateway::http {

/// "application/json; charset=utf-8" -> "application/json"
std::string_view media_type(std::string_view content_type);
/// Whether bodies of this media type must be JSON.
bool json_type(std::string_view media_type);

/// Fills payload and type with views of `request`. Errors: message_too_large, message_invalid
/// (a JSON type whose body is not), request_invalid (a Content-Type that can't be told on).
std::optional<Error> read_content(const Request& request, const Limits& limits, JsonReader& reader,
                                  PublicationView& publication);

}  // namespace peal::gateway::http
