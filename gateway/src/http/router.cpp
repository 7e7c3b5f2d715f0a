#include "http/router.hpp"

#include <utility>

#include "http/accept.hpp"
#include "http/channel_page.hpp"
#include "http/handshake.hpp"
#include "http/kept_request.hpp"
#include "http/query.hpp"
#include "peal/proto/channel_name.hpp"
#include "session/engine.hpp"

namespace peal::gateway::http {
namespace {

constexpr std::string_view kChannels = "/channels/";
constexpr std::string_view kFiles = "/files/";
constexpr Methods kUpgradeMethods{"GET", ""};
constexpr Methods kPageMethods{"GET, HEAD", ""};

}  // namespace

Router::Router(std::shared_ptr<const RouterShared> shared, runtime::Logger logger,
               runtime::ProbeRegistry& probes)
    : desk_(std::move(shared), std::move(logger), probes),
      command_face_(desk_),
      resource_face_(desk_),
      file_face_(desk_),
      stream_face_(desk_) {
  for (const ProtocolFactory& make : desk_.shared().protocols)
    protocols_.push_back(make(desk_.limits()));
}

std::optional<Router::Face> Router::face_of(std::string_view path) {
  if (path == "/ws") return Face::websocket;
  if (path.starts_with(kChannels)) return Face::channels;
  if (path == "/stream") return Face::stream;
  if (path.starts_with(kFiles)) return Face::files;
  if (path == "/command") return Face::command;
  return std::nullopt;
}

void Router::handle(const Request& request, Exchange exchange) {
  using Admission = Desk::Admission;
  Call call{std::move(exchange)};
  const auto face = face_of(request.path);
  if (!face) return page(request, std::move(call));
  desk_.probe().requested(*face);
  if (face == Face::websocket && desk_.turned_away(request, call, kUpgradeMethods)) return;
  const Admission admission = desk_.admit(request, call);
  if (admission == Admission::admitted) return serve(*face, request, std::move(call));
  if (admission == Admission::undecided) ask_hook(*face, request, std::move(call));
}

void Router::ask_hook(Face face, const Request& request, Call call) {
  Engine& engine = call.exchange.engine();
  const auto token = Authenticator::bearer(request.header("Authorization"));
  const auto nobody = *desk_.shared().authenticator->authorize({});
  const auto kept = std::make_shared<const KeptRequest>(request);
  const auto waiting = std::make_shared<Call>(std::move(call));
  engine.ask_connect(
      nobody, token.value_or(std::string_view()),
      [this, face, nobody, kept, waiting](const Result<std::shared_ptr<const Principal>>& answer) {
        if (!answer) return desk_.refuse(*waiting, answer.error());
        waiting->principal = *answer ? *answer : nobody;
        serve(face, kept->request(), std::move(*waiting));
      });
}

void Router::serve(Face face, const Request& request, Call call) {
  const std::string_view path = request.path;
  switch (face) {
    case Face::websocket:
      return upgrade(request, std::move(call));
    case Face::channels: {
      const std::string_view channel = path.substr(kChannels.size());
      if (check_channel(channel, call)) serve_channel(request, channel, std::move(call));
      return;
    }
    case Face::files: {
      const std::string_view channel = path.substr(kFiles.size());
      if (check_channel(channel, call)) file_face_.serve(request, channel, std::move(call));
      return;
    }
    case Face::stream:
      if (desk_.turned_away(request, call, StreamFace::kMethods)) return;
      return stream_face_.serve(request, std::move(call));
    default:
      if (desk_.turned_away(request, call, CommandFace::kMethods)) return;
      return command_face_.serve(request, std::move(call));
  }
}

void Router::serve_channel(const Request& request, std::string_view channel, Call call) {
  if (request.method == "GET" && named_first(request.header("Accept"), "text/event-stream"))
    return stream_face_.follow(request, channel, std::move(call));
  if (request.method == "GET" && query_has(request.query, "wait"))
    return stream_face_.wait(request, channel, std::move(call));
  resource_face_.serve(request, channel, std::move(call));
}

void Router::page(const Request& request, Call call) {
  const StaticFiles* files = desk_.shared().files.get();
  if (request.path == kChannelScriptPath && (files == nullptr || !files->has(request.path))) {
    desk_.probe().requested(HttpProbe::Face::page);
    if (!desk_.turned_away(request, call, kPageMethods)) desk_.answer(call, channel_script());
    return;
  }
  if (files == nullptr || !files->has(request.path)) {
    desk_.probe().requested(HttpProbe::Face::other);
    return desk_.refuse(call, fail(ErrorCode::not_found, "nothing is at this path"));
  }
  desk_.probe().requested(HttpProbe::Face::page);
  if (!desk_.turned_away(request, call, kPageMethods)) desk_.answer(call, files->respond(request));
}

bool Router::check_channel(std::string_view name, Call& call) {
  if (ChannelName::valid(name)) return true;
  desk_.refuse(call, ChannelName::parse(name).error());
  return false;
}

void Router::upgrade(const Request& request, Call call) {
  auto decision = shake_hands(request, protocols_);
  if (auto* refusal = std::get_if<Response>(&decision)) {
    desk_.probe().refused(refusal->status == 426 ? ErrorCode::upgrade_required
                                                 : ErrorCode::request_invalid);
    return desk_.answer(call, std::move(*refusal));
  }
  auto& handshake = std::get<Handshake>(decision);
  call.exchange.upgrade(*handshake.protocol, call.principal, std::move(handshake.headers));
}

}  // namespace peal::gateway::http
