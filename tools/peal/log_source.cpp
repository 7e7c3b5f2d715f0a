#include "log_source.hpp"

#include <poll.h>

#include "http_client.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

/// How often the control socket is asked again while nothing comes.
constexpr int kPauseMs = 100;
/// How long an HTTP request may wait for something.
constexpr std::uint64_t kWaitSeconds = 10;

LogPage page_of(const JsonObject& result, const LogQuery& query) {
  LogPage page;
  page.epoch = Epoch::parse(result.text("epoch")).value_or(Epoch{});
  page.top = {result.number("offset")};
  page.publications = result.objects("publications");
  page.to = query.since ? query.since->offset : Offset{};
  if (!page.publications.empty()) page.to = {page.publications.back().number("offset")};
  return page;
}

class ControlSource final : public LogSource {
 public:
  ControlSource(std::unique_ptr<ControlClient> client, std::chrono::milliseconds timeout)
      : client_(std::move(client)), timeout_(timeout) {}

  Outcome<LogPage> read(const LogQuery& query) override {
    JsonBuilder payload;
    payload.text("channel", query.channel).number("limit", query.limit);
    if (query.since) {
      payload.raw("since", JsonBuilder()
                               .text("epoch", query.since->epoch.view())
                               .number("offset", query.since->offset.value)
                               .str());
    }
    if (query.reverse) payload.boolean("reverse", true);
    auto result = client_->request("history", payload.str(), timeout_);
    if (!result) return result.error();
    const JsonObject object(*result);
    LogPage page = page_of(object, query);
    if (!query.reverse) page.to = {object.number("to")};
    if (query.wait && page.publications.empty() && !interrupted()) {
      pollfd stop{interrupt_fd(), POLLIN, 0};
      ::poll(&stop, 1, kPauseMs);
    }
    return page;
  }

 private:
  std::unique_ptr<ControlClient> client_;
  std::chrono::milliseconds timeout_;
};

class HttpSource final : public LogSource {
 public:
  HttpSource(HttpOptions options, Url url, std::chrono::milliseconds timeout)
      : options_(std::move(options)), client_(std::move(url), options_.ca), timeout_(timeout) {}

  Outcome<LogPage> read(const LogQuery& query) override {
    HttpRequest request;
    request.target = "/channels/" + percent_encoded(query.channel) +
                     "?limit=" + std::to_string(query.limit) +
                     "&since=" + (query.since ? query.since->to_string() : "start");
    if (query.reverse) request.target += "&reverse=true";
    const bool wait = query.wait && query.since;
    if (wait) request.target += "&wait=" + std::to_string(kWaitSeconds);
    request.waits = wait;
    request.headers = {{"Accept", "application/json"}, {"User-Agent", "peal"}};
    if (!options_.key.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + options_.key);
    }
    auto response =
        client_.request(request, timeout_ + std::chrono::seconds(wait ? kWaitSeconds : 0));
    if (!response) {
      // A read can be repeated: what is lost is the link.
      return unreachable(response.error().message);
    }
    JsonReader reader;
    const JsonObject body(reader.validate(response->body) ? response->body : "");
    if (response->status / 100 == 2 && body.has("publications")) return page_of(body, query);
    if (body.has("code")) {
      return Failure{Exit::refused, body.text("code"),
                     body.text(body.has("detail") ? "detail" : "title")};
    }
    return Failure{
        Exit::refused, "request_invalid",
        "HTTP " + std::to_string(response->status) + " from something that is no Peal gateway"};
  }

 private:
  HttpOptions options_;
  HttpClient client_;
  std::chrono::milliseconds timeout_;
};

}  // namespace

Outcome<std::unique_ptr<LogSource>> make_log_source(const ControlOptions& control,
                                                    const HttpOptions& http) {
  if (!http.url.empty()) {
    auto url = parse_url(http.url);
    if (!url) return url.error();
    return std::make_unique<HttpSource>(http, *url, control.timeout);
  }
  auto client = open_control(control);
  if (!client) return client.error();
  return std::make_unique<ControlSource>(std::move(*client), control.timeout);
}

}  // namespace peal::cli
