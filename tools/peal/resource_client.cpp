#include "resource_client.hpp"

#include <utility>

#include "json_text.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/proto/position.hpp"

namespace peal::cli {
namespace {

Failure refusal(const HttpResponse& response) {
  JsonReader reader;
  const bool problem = response.content_type == "application/problem+json" &&
                       static_cast<bool>(reader.validate(response.body));
  const JsonObject body(problem ? response.body : "");
  if (body.has("code")) return {Exit::refused, body.text("code"), body.text("detail")};
  if (response.status == 412)
    return {Exit::refused, "expectation_failed",
            "the value is another one by now: " + position_of(response.tag)};
  return {Exit::refused, "request_invalid",
          "HTTP " + std::to_string(response.status) + " from something that is no Peal gateway"};
}

}  // namespace

void describe(Arguments& arguments, ResourceOptions& options) {
  arguments.word("CHANNEL", options.channel, "whose value");
  arguments.option("--url", "URL", options.url, "the gateway (default http://127.0.0.1:8420)");
  arguments.option("--key", "SECRET", options.key, "bearer key");
  arguments.option("--ca", "FILE", options.ca, "authority to trust for https");
  arguments.option("--timeout", "TIME", options.timeout, "for an answer (default 5s)");
}

Outcome<HttpResponse> ask(const ResourceOptions& options, HttpRequest request) {
  if (!ChannelName::valid(options.channel)) {
    return Failure{Exit::refused, "channel_name_invalid",
                   "a channel's name is 1 to 255 bytes of UTF-8 without control characters"};
  }
  auto url = parse_url(options.url);
  if (!url) return url.error();
  request.target = "/channels/" + percent_encoded(options.channel);
  request.headers.emplace_back("User-Agent", "peal");
  if (!options.key.empty()) request.headers.emplace_back("Authorization", "Bearer " + options.key);
  HttpClient client(*url, options.ca);
  auto response = client.request(request, options.timeout);
  if (!response) return response.error();
  if (response->status / 100 != 2 && response->status != 304) return refusal(*response);
  return response;
}

Outcome<std::string> entity_tag(std::string_view typed) {
  if (typed == "*") return std::string(typed);
  if (typed.size() > 2 && typed.front() == '"' && typed.back() == '"')
    typed = typed.substr(1, typed.size() - 2);
  if (!Position::parse(typed)) return usage("a position is EPOCH-OFFSET, such as AAAAAAAA-7, or *");
  return '"' + std::string(typed) + '"';
}

std::string position_of(std::string_view tag) {
  if (tag.size() < 2 || tag.front() != '"') return {};
  const std::string_view inside = tag.substr(1, tag.size() - 2);
  const auto position = Position::parse(inside.substr(0, inside.find(';')));
  return position ? position->to_string() : std::string();
}

}  // namespace peal::cli
