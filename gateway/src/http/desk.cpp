#include "http/desk.hpp"

#include <utility>

#include "http/text.hpp"
#include "peal/proto/json.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::size_t kRefusalsLoggedMax = 64;
/// What of an answer a page elsewhere may see.
constexpr std::string_view kExposed =
    "ETag, Content-Range, Accept-Ranges, Content-Location, Location, Allow, Retry-After";

void add_vary(Response& response, std::string_view what) {
  for (auto& [name, value] : response.headers) {
    if (!equal_ignoring_case(name, "Vary")) continue;
    if (!has_token(value, what)) value.append(", ").append(what);
    return;
  }
  response.headers.emplace_back("Vary", what);
}

}  // namespace

Desk::Desk(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
           runtime::ProbeRegistry& probes)
    : shared_(std::move(shared)), logger_(std::move(logger)), registration_(probes.add(probe_)) {}

Desk::Admission Desk::admit(const Request& request, Call& call) {
  const std::string_view host = request.header("Host");
  const std::string_view origin = request.header("Origin");
  // A browser tells a page nothing of a WebSocket that was refused, but lets it ask over HTTP why.
  if (request.path == "/ws") call.cors_origin = origin;
  if (const auto error = shared_->origins.check_host(host)) {
    log_refusal(*error, "allowed_hosts", host);
    refuse(call, *error);
    return Admission::refused;
  }
  if (const auto error = shared_->origins.check_origin(origin, host)) {
    log_refusal(*error, "allowed_origins", origin);
    refuse(call, *error);
    return Admission::refused;
  }
  call.cors_origin = shared_->origins.cross_origin_allowed(origin, host) ? origin : "";
  // A browser asks without the key whether it may send the key.
  if (request.method == "OPTIONS") return Admission::admitted;
  const std::string_view authorization = request.header("Authorization");
  auto principal = shared_->authenticator->authorize(authorization);
  if (principal) {
    call.principal = std::move(*principal);
    return Admission::admitted;
  }
  const bool hook = call.exchange.shard().config().hooks.connect != nullptr;
  if (hook && Authenticator::bearer(authorization)) return Admission::undecided;
  refuse(call, principal.error());
  return Admission::refused;
}

bool Desk::turned_away(const Request& request, Call& call, const Methods& methods) {
  if (request.method == "OPTIONS" && !call.cors_origin.empty()) {
    answer(call, {204,
                  {{"Access-Control-Allow-Methods", std::string(methods.allowed)},
                   {"Access-Control-Allow-Headers", std::string(methods.headers)},
                   {"Access-Control-Max-Age", "600"}},
                  {}});
    return true;
  }
  // Methods are compared as they are: RFC 9110 gives them a case.
  std::string_view list = methods.allowed;
  std::string_view method;
  while (next_element(list, method))
    if (method == request.method) return false;
  probe_.refused(ErrorCode::method_not_allowed);
  Response response = problem(
      fail(ErrorCode::method_not_allowed, "this path takes " + std::string(methods.allowed)));
  response.headers.emplace_back("Allow", std::string(methods.allowed));
  answer(call, std::move(response));
  return true;
}

void Desk::add_cors(const Call& call, Response& response) {
  if (call.cors_origin.empty()) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", call.cors_origin);
  response.headers.emplace_back("Access-Control-Expose-Headers", kExposed);
  add_vary(response, "Origin");
}

void Desk::answer(Call& call, Response response) {
  add_cors(call, response);
  call.exchange.respond(std::move(response));
}

HttpHeaders Desk::cors_headers(const Call& call) const {
  if (call.cors_origin.empty()) return {};
  return {{"Access-Control-Allow-Origin", call.cors_origin}, {"Vary", "Origin"}};
}

void Desk::answer(Call& call, Response response, std::unique_ptr<BodySource> body) {
  add_cors(call, response);
  call.exchange.respond(std::move(response), std::move(body));
}

void Desk::refuse(Call& call, const Error& error) {
  probe_.refused(error.code);
  answer(call, problem(error));
}

void Desk::log_refusal(const Error& error, std::string_view key, std::string_view value) {
  // Once per value, and not for ever: what a stranger sends must not fill the disk.
  const bool more = refusals_logged_.size() < kRefusalsLoggedMax;
  if (!more || !refusals_logged_.emplace(value).second) return;
  std::string line(key);
  line += " = [";
  append_json_string(line, value.substr(0, 256));
  line += ']';
  logger_.warn(error.code == ErrorCode::origin_refused ? "origin refused" : "host refused",
               {{"reason", error.message}, {"would_allow", line}});
}

Response json_response(std::string body) {
  return {
      200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, std::move(body)};
}

}  // namespace peal::gateway::http
