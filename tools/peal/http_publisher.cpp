#include <poll.h>

#include "http_client.hpp"
#include "json_text.hpp"
#include "peal/proto/position.hpp"
#include "publisher.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

/// POST and DELETE of the resource face; one at a time on a kept connection.
class HttpPublisher final : public Publisher {
 public:
  HttpPublisher(HttpOptions options, Url url, OnResult on_result)
      : options_(std::move(options)),
        client_(std::move(url), options_.ca),
        on_result_(std::move(on_result)) {}

  Outcome<void> connect(std::chrono::milliseconds timeout) override {
    timeout_ = timeout;
    return client_.connect(timeout);
  }

  Outcome<void> send(std::uint64_t id, const PublishText& text) override {
    const bool simple = text.whole.empty() && text.key.empty() && !text.remove &&
                        text.expect.empty() && text.source.empty();
    auto response = client_.request(simple ? post(text) : command(text), timeout_);
    if (!response) {
      const Failure& failure = response.error();
      const bool lost = failure.exit == Exit::unreachable;
      on_result_(id, {{}, lost ? "broker_unavailable" : failure.code, failure.message});
      if (lost) {
        return failure;
      }
      return {};
    }
    on_result_(id, simple ? of_post(*response) : of_command(*response));
    return {};
  }

  Outcome<void> wait(int fd, std::chrono::milliseconds timeout) override {
    pollfd fds[] = {{fd, POLLIN, 0}, {interrupted() ? -1 : interrupt_fd(), POLLIN, 0}};
    ::poll(fds, 2, static_cast<int>(timeout.count()));
    return {};
  }

  std::size_t window() const override { return 1; }

 private:
  HttpRequest request_to(std::string target, std::string body) const {
    HttpRequest request;
    request.method = "POST";
    request.target = std::move(target);
    request.headers = {{"Content-Type", "application/json"}, {"User-Agent", "peal"}};
    if (!options_.key.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + options_.key);
    }
    request.body = std::move(body);
    return request;
  }

  HttpRequest post(const PublishText& text) const {
    auto request = request_to("/channels/" + percent_encoded(text.channel), text.message);
    if (!text.idempotency_key.empty()) {
      request.headers.emplace_back("Idempotency-Key", text.idempotency_key);
    }
    return request;
  }

  /// What the resource face has no words for goes as a command.
  HttpRequest command(const PublishText& text) const {
    return request_to("/command", JsonBuilder()
                                      .number("id", std::uint64_t{1})
                                      .text("action", "publish")
                                      .raw("payload", text.payload_json())
                                      .str());
  }

  static PublishOutcome refusal(const HttpResponse& response, const JsonObject& problem) {
    const std::string status = "HTTP " + std::to_string(response.status);
    if (!problem.has("code")) {
      return {{}, "request_invalid", status + " from something that is no Peal gateway"};
    }
    const char* says = problem.has("detail")    ? "detail"
                       : problem.has("message") ? "message"
                                                : "title";
    return {{}, problem.text("code"), problem.text(says)};
  }

  static PublishOutcome of_post(const HttpResponse& response) {
    JsonReader reader;
    const bool json = static_cast<bool>(reader.validate(response.body));
    if (response.status / 100 == 2) {
      return {json ? response.body : "{}", {}, {}};
    }
    return refusal(response, JsonObject(json ? response.body : ""));
  }

  static PublishOutcome of_command(const HttpResponse& response) {
    JsonReader reader;
    const JsonObject body(reader.validate(response.body) ? response.body : "");
    if (body.has("result")) {
      return {std::string(body.raw("result")), {}, {}};
    }
    return refusal(response, body.has("error") ? body.object("error") : body);
  }

  HttpOptions options_;
  HttpClient client_;
  OnResult on_result_;
  std::chrono::milliseconds timeout_{5000};
};

}  // namespace

Outcome<std::unique_ptr<Publisher>> make_http_publisher(HttpOptions options,
                                                        Publisher::OnResult on_result) {
  auto url = parse_url(options.url);
  if (!url) {
    return url.error();
  }
  return std::make_unique<HttpPublisher>(std::move(options), *url, std::move(on_result));
}

}  // namespace peal::cli
