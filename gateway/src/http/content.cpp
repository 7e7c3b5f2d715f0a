#include "http/content.hpp"

#include <algorithm>
#include <string>

#include "http/text.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::size_t kContentTypeBytesMax = 255;

/// Fit to be told to every subscriber as a type.
bool plain(std::string_view content_type) {
  return content_type.size() <= kContentTypeBytesMax &&
         std::ranges::all_of(content_type, [](char c) { return c >= ' ' && c <= '~'; });
}

/// What curl -d says of anything; JSON that comes under this name is taken for what it is.
bool form_type(std::string_view type) {
  return equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

/// JSON, but of a kind that its reader must know: it keeps its type.
bool suffixed_json_type(std::string_view type) {
  constexpr std::string_view kSuffix = "+json";
  return type.size() > kSuffix.size() &&
         equal_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix);
}

}  // namespace

std::string_view media_type(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

bool json_type(std::string_view type) {
  return type.empty() || equal_ignoring_case(type, "application/json") || suffixed_json_type(type);
}

std::optional<Error> read_content(const Request& request, const Limits& limits, JsonReader& reader,
                                  PublicationView& publication) {
  if (request.body.size() > limits.message_bytes_max) {
    return fail(ErrorCode::message_too_large,
                "the message is larger than limits.message_bytes_max (" +
                    std::to_string(limits.message_bytes_max) + ")");
  }
  const std::string_view content_type = request.header("Content-Type");
  if (!plain(content_type)) {
    return fail(ErrorCode::request_invalid,
                "Content-Type is not printable ASCII of at most 255 bytes");
  }
  publication.payload = request.body;
  const std::string_view type = media_type(content_type);
  const bool json = json_type(type);
  if (json || form_type(type)) {
    const auto valid = reader.validate(request.body, limits.json_depth_max);
    if (valid.has_error() && json) return valid.error();
    if (!valid.has_error() && !suffixed_json_type(type)) return std::nullopt;
  }
  publication.type = content_type;
  return std::nullopt;
}

}  // namespace peal::gateway::http
