#include "http/publish_face.hpp"

#include <utility>

#include "http/content.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;

/// A reply of the JSON protocol without its "result": what HTTP answers.
Response published_response(JsonProtocol& json, const bus::Published& outcome) {
  if (outcome.status != bus::Published::Status::ok) {
    return problem(outcome.error ? *outcome.error
                                 : fail(ErrorCode::internal_error, "no reason was given"));
  }
  constexpr std::string_view kOpen = R"({"result":)";
  std::string body;
  json.encode_reply(body, 0, PublishResult{{&outcome, 1}, false});
  return json_response(body.substr(kOpen.size(), body.size() - kOpen.size() - 1));
}

}  // namespace

void PublishFace::publish(const Request& request, std::string_view channel, Call call) {
  bus::PublishRequest publish;
  publish.channel = channel;
  if (const auto error = read_content(request, desk_.limits(), reader_, publish.publication))
    return desk_.refuse(call, *error);
  publish.idempotency_key = request.header("Idempotency-Key");
  if (publish.idempotency_key.size() > kIdempotencyKeyBytesMax) {
    return desk_.refuse(
        call, fail(ErrorCode::request_invalid, "Idempotency-Key has more than 255 bytes"));
  }
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Call>(std::move(call));
  engine.publish(principal, publish, [this, waiting](const bus::Published& outcome) {
    if (outcome.error) desk_.probe().refused(outcome.error->code);
    desk_.answer(*waiting, published_response(json_, outcome));
  });
}

}  // namespace peal::gateway::http
