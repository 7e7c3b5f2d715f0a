#include "http/value.hpp"

#include "http/etag.hpp"

namespace peal::gateway::http {

bus::ReadRequest read_value(std::string_view channel) {
  bus::ReadRequest request;
  request.channel = channel;
  request.mode = bus::ReadRequest::Mode::reverse;
  request.limit = 1;
  return request;
}

CurrentValue current_value(const bus::Page& page) {
  CurrentValue value;
  if (page.publications.empty()) return value;
  value.last = &page.publications.front();
  value.position = {page.head.epoch, value.last->offset};
  return value;
}

Response absent_problem(const CurrentValue& value) {
  if (value.last == nullptr)
    return problem(fail(ErrorCode::not_found, "this channel has no value"));
  return problem(fail(ErrorCode::gone, "the value was deleted"), value.position);
}

std::string_view content_type_of(const PublicationView& publication) {
  return publication.type.empty() ? std::string_view("application/json") : publication.type;
}

std::string cache_control(const ChannelRule* rule) {
  const bool open = rule != nullptr && rule->public_cache;
  std::string text = open ? "public, " : "private, ";
  // no-cache: kept, and asked about each time, which a 304 answers.
  if (rule == nullptr || rule->cache_max_age.count() == 0) return text += "no-cache";
  return text += "max-age=" + std::to_string(rule->cache_max_age.count());
}

Response value_response(const CurrentValue& value, std::string cache_control) {
  Response response;
  response.headers = {{"Content-Type", std::string(content_type_of(*value.last))},
                      {"ETag", tag_of(value.position)},
                      {"Cache-Control", std::move(cache_control)},
                      {"Vary", "Accept, Origin"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Content-Security-Policy", "sandbox"}};
  response.body = value.last->payload;
  return response;
}

}  // namespace peal::gateway::http
