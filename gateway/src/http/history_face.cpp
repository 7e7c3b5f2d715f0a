#include "http/history_face.hpp"

#include <charconv>
#include <utility>

#include "http/query.hpp"
#include "http/state_body.hpp"
#include "http/value.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kNotKept = "private, no-store";

Error wrong(const std::string& what) {
  return fail(ErrorCode::request_invalid, what);
}

}  // namespace

bool HistoryFace::wanted(std::string_view query) {
  return query_has(query, "since") || query_has(query, "limit") || query_has(query, "reverse");
}

bool HistoryFace::state_wanted(std::string_view query) {
  return query_has(query, "state");
}

Result<bus::ReadRequest> read_history_query(std::string_view query, std::string_view channel,
                                            const Limits& limits) {
  bus::ReadRequest request;
  request.channel = channel;
  request.limit = std::min<std::size_t>(request.limit, limits.page_length_max);
  request.bytes = limits.page_bytes_max;
  if (query_has(query, "reverse")) {
    const auto reverse = query_value(query, "reverse");
    if (reverse != "true" && reverse != "false") return wrong("reverse is not true or false");
    if (reverse == "true") request.mode = bus::ReadRequest::Mode::reverse;
  }
  if (const auto since = query_value(query, "since");
      query_has(query, "since") && since != "start") {
    const auto position = Position::parse(since.value_or(""));
    if (!position) return wrong(R"(since is neither "start" nor a position "epoch-offset")");
    request.epoch = position->epoch;
    request.after = position->offset;
  }
  if (query_has(query, "limit")) {
    const std::string limit = query_value(query, "limit").value_or("");
    std::size_t number = 0;
    const char* end = limit.data() + limit.size();
    const auto [stop, error] = std::from_chars(limit.data(), end, number);
    if (error != std::errc() || stop != end || number == 0 || number > limits.page_length_max)
      return wrong("limit is not a number from 1 to limits.page_length_max (" +
                   std::to_string(limits.page_length_max) + ")");
    request.limit = number;
  }
  return request;
}

Response history_response(JsonProtocol& json, const bus::Page& page, std::string cache_control) {
  if (page.error) {
    const bool lost = page.error->code == ErrorCode::position_lost;
    return problem(*page.error, lost ? std::optional(page.head.position()) : std::nullopt);
  }
  constexpr std::string_view kOpen = R"({"result":)";
  std::string body;
  json.encode_reply(body, 0, HistoryResult{&page});
  Response response = json_response(body.substr(kOpen.size(), body.size() - kOpen.size() - 1));
  response.headers.back().second = std::move(cache_control);
  // A cache must not give the answer to a page's stream, or one page's origin to another's.
  response.headers.emplace_back("Vary", "Accept, Origin");
  return response;
}

void HistoryFace::serve(const Request& request, std::string_view channel, Call call) {
  auto read = read_history_query(request.query, channel, desk_.limits());
  if (!read) return desk_.refuse(call, read.error());
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Call>(std::move(call));
  engine.read(principal, *read, [this, waiting](const bus::Page& page) {
    if (page.error) desk_.probe().refused(page.error->code);
    desk_.answer(*waiting, history_response(json_, page, std::string(kNotKept)));
  });
}

void HistoryFace::serve_state(std::string_view channel, Call call) {
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  const auto name = std::make_shared<const std::string>(channel);
  auto waiting = std::make_shared<Call>(std::move(call));
  // One read asks whether this client may, and fixes the epoch; the body reads the rest.
  engine.read(principal, read_value(*name), [this, waiting, name](const bus::Page& page) {
    if (page.error) return desk_.refuse(*waiting, *page.error);
    Response response = json_response({});
    response.headers.back().second = kNotKept;
    Engine& body_engine = waiting->exchange.engine();
    desk_.answer(*waiting, std::move(response),
                 std::make_unique<StateBody>(body_engine, *name, page.head.epoch));
  });
}

}  // namespace peal::gateway::http
