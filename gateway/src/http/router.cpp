#include "http/router.hpp"

#include <algorithm>
#include <array>

#include "http/handshake.hpp"
#include "http/text.hpp"
#include "peal/proto/channel_name.hpp"
#include "session/engine.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kChannels = "/channels/";
constexpr std::size_t kIdempotencyKeyBytesMax = 255;
constexpr std::size_t kContentTypeBytesMax = 255;
constexpr std::size_t kRefusalsLoggedMax = 64;

Response method_not_allowed(std::string_view allowed) {
  Response response =
      problem(fail(ErrorCode::method_not_allowed, "this path takes " + std::string(allowed)));
  response.headers.emplace_back("Allow", std::string(allowed));
  return response;
}

/// "application/json; charset=utf-8" -> "application/json"
std::string_view media_type(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

/// Fit to be told to every subscriber as a type.
bool plain(std::string_view content_type) {
  return content_type.size() <= kContentTypeBytesMax &&
         std::ranges::all_of(content_type, [](char c) { return c >= ' ' && c <= '~'; });
}

bool json_type(std::string_view type) {
  return type.empty() || equal_ignoring_case(type, "application/json") || type.ends_with("+json");
}

/// What curl -d says of anything; JSON that comes under this name is taken for what it is.
bool form_type(std::string_view type) {
  return equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

Response json_response(std::string body) {
  return {
      200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, std::move(body)};
}

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

Router::Router(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
               runtime::ProbeRegistry& probes)
    : shared_(std::move(shared)),
      logger_(std::move(logger)),
      registration_(probes.add(probe_)),
      json_(shared_->limits) {
  for (const ProtocolFactory& make : shared_->protocols)
    protocols_.push_back(make(shared_->limits));
}

void Router::handle(const Request& request, Exchange exchange) {
  using Face = HttpProbe::Face;
  Call call{std::move(exchange), nullptr, {}};
  const std::string_view path = request.path;
  const auto take_post = [&](Face face, void (Router::*serve)(const Request&, Call)) {
    probe_.requested(face);
    if (!admit(request, call)) return;
    if (request.method == "OPTIONS" && !call.cors_origin.empty()) {
      return answer(
          call, {204,
                 {{"Access-Control-Allow-Methods", "POST"},
                  {"Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key"},
                  {"Access-Control-Max-Age", "600"}},
                 {}});
    }
    if (request.method != "POST") {
      probe_.refused(ErrorCode::method_not_allowed);
      return answer(call, method_not_allowed("POST"));
    }
    (this->*serve)(request, std::move(call));
  };
  if (path == "/ws") {
    probe_.requested(Face::websocket);
    if (request.method != "GET") {
      probe_.refused(ErrorCode::method_not_allowed);
      return answer(call, method_not_allowed("GET"));
    }
    if (admit(request, call)) upgrade(request, std::move(call));
    return;
  }
  if (path.starts_with(kChannels)) return take_post(Face::channels, &Router::publish);
  if (path == "/command") return take_post(Face::command, &Router::command);

  if (!shared_->files || !shared_->files->has(path)) {
    probe_.requested(Face::other);
    return refuse(call, fail(ErrorCode::not_found, "nothing is at this path"));
  }
  probe_.requested(Face::page);
  if (request.method != "GET" && request.method != "HEAD") {
    probe_.refused(ErrorCode::method_not_allowed);
    return answer(call, method_not_allowed("GET, HEAD"));
  }
  answer(call, shared_->files->respond(request));
}

bool Router::admit(const Request& request, Call& call) {
  const std::string_view host = request.header("Host");
  const std::string_view origin = request.header("Origin");
  // A browser tells a page nothing of a WebSocket that was refused, but lets it ask over HTTP why.
  if (request.path == "/ws") call.cors_origin = origin;
  if (const auto error = shared_->origins.check_host(host)) {
    log_refusal(*error, "allowed_hosts", host);
    refuse(call, *error);
    return false;
  }
  if (const auto error = shared_->origins.check_origin(origin, host)) {
    log_refusal(*error, "allowed_origins", origin);
    refuse(call, *error);
    return false;
  }
  call.cors_origin = shared_->origins.cross_origin_allowed(origin, host) ? origin : "";
  auto principal = shared_->authenticator.authorize(request.header("Authorization"));
  if (principal.has_error()) {
    refuse(call, principal.error());
    return false;
  }
  call.principal = std::move(*principal);
  return true;
}

void Router::upgrade(const Request& request, Call call) {
  auto decision = shake_hands(request, protocols_);
  if (auto* refusal = std::get_if<Response>(&decision)) {
    probe_.refused(refusal->status == 426 ? ErrorCode::upgrade_required
                                          : ErrorCode::request_invalid);
    return answer(call, std::move(*refusal));
  }
  auto& handshake = std::get<Handshake>(decision);
  call.exchange.upgrade(*handshake.protocol, call.principal, std::move(handshake.headers));
}

void Router::publish(const Request& request, Call call) {
  const std::string_view channel = std::string_view(request.path).substr(kChannels.size());
  if (!ChannelName::valid(channel)) return refuse(call, ChannelName::parse(channel).error());
  if (request.body.size() > shared_->limits.message_bytes_max) {
    return refuse(call, fail(ErrorCode::message_too_large,
                             "the message is larger than limits.message_bytes_max (" +
                                 std::to_string(shared_->limits.message_bytes_max) + ")"));
  }
  bus::PublishRequest publish;
  publish.channel = channel;
  publish.publication.payload = request.body;
  publish.idempotency_key = request.header("Idempotency-Key");
  if (publish.idempotency_key.size() > kIdempotencyKeyBytesMax) {
    return refuse(call,
                  fail(ErrorCode::request_invalid, "Idempotency-Key has more than 255 bytes"));
  }
  const std::string_view content_type = request.header("Content-Type");
  if (!plain(content_type)) {
    return refuse(call, fail(ErrorCode::request_invalid,
                             "Content-Type is not printable ASCII of at most 255 bytes"));
  }
  const std::string_view type = media_type(content_type);
  if (json_type(type) || form_type(type)) {
    const auto valid = reader_.validate(request.body, shared_->limits.json_depth_max);
    if (valid.has_error() && json_type(type)) return refuse(call, valid.error());
    if (valid.has_error()) publish.publication.type = content_type;
  } else {
    publish.publication.type = content_type;
  }
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Call>(std::move(call));
  engine.publish(principal, publish, [this, waiting](const bus::Published& outcome) {
    if (outcome.error) probe_.refused(outcome.error->code);
    answer(*waiting, published_response(json_, outcome));
  });
}

void Router::command(const Request& request, Call call) {
  if (const auto wrong = json_.decode(request.body, command_)) return refuse(call, wrong->error);
  switch (command_.action) {
    case Action::publish:
      return publish_command(command_, std::move(call));
    case Action::ping: {
      std::string body;
      json_.encode_reply(body, command_.id.value_or(0), PingResult{});
      return answer(call, json_response(std::move(body)));
    }
    case Action::connect:
    case Action::subscribe:
    case Action::unsubscribe:
    case Action::refresh:
      return refuse(call, fail(ErrorCode::action_unknown,
                               "this action is about a session: send it over /ws"));
    case Action::history:
    case Action::presence:
      return refuse(call, fail(ErrorCode::action_unknown, "this action is not available yet"));
  }
}

void Router::publish_command(const Command& command, Call call) {
  struct Waiting {
    Call call;
    std::uint64_t id = 0;
    bool many = false;
    std::vector<bus::Published> outcomes{};
    std::size_t missing = 0;
  };
  std::vector<std::string_view> channels = command.channels;
  if (channels.empty()) channels.push_back(command.channel);
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Waiting>(
      Waiting{std::move(call), command.id.value_or(0), !command.channels.empty()});
  waiting->outcomes.resize(channels.size());
  waiting->missing = channels.size();
  bus::PublishRequest request = command.publish;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    request.channel = channels[i];
    engine.publish(principal, request, [this, waiting, i](const bus::Published& outcome) {
      if (outcome.error) probe_.refused(outcome.error->code);
      waiting->outcomes[i] = outcome;
      if (--waiting->missing != 0) return;
      const bus::Published& first = waiting->outcomes.front();
      if (!waiting->many && first.error) return answer(waiting->call, problem(*first.error));
      std::string body;
      json_.encode_reply(body, waiting->id, PublishResult{waiting->outcomes, waiting->many});
      answer(waiting->call, json_response(std::move(body)));
    });
  }
}

void Router::answer(Call& call, Response response) {
  if (!call.cors_origin.empty()) {
    response.headers.emplace_back("Access-Control-Allow-Origin", call.cors_origin);
    response.headers.emplace_back("Vary", "Origin");
  }
  call.exchange.respond(std::move(response));
}

void Router::refuse(Call& call, const Error& error) {
  probe_.refused(error.code);
  answer(call, problem(error));
}

void Router::log_refusal(const Error& error, std::string_view key, std::string_view value) {
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

}  // namespace peal::gateway::http
