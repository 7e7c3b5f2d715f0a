#include "http/router.hpp"

#include <utility>

#include "http/accept.hpp"
#include "http/channel_page.hpp"
#include "http/handshake.hpp"
#include "http/query.hpp"
#include "peal/proto/channel_name.hpp"

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

void Router::handle(const Request& request, Exchange exchange) {
  using Face = HttpProbe::Face;
  Call call{std::move(exchange)};
  const std::string_view path = request.path;
  if (path == "/ws") {
    desk_.probe().requested(Face::websocket);
    if (!desk_.turned_away(request, call, kUpgradeMethods) && desk_.admit(request, call))
      upgrade(request, std::move(call));
  } else if (path.starts_with(kChannels)) {
    desk_.probe().requested(Face::channels);
    const std::string_view channel = path.substr(kChannels.size());
    if (!desk_.admit(request, call) || !check_channel(channel, call)) return;
    if (request.method == "GET" && named_first(request.header("Accept"), "text/event-stream"))
      return stream_face_.follow(request, channel, std::move(call));
    if (request.method == "GET" && query_has(request.query, "wait"))
      return stream_face_.wait(request, channel, std::move(call));
    resource_face_.serve(request, channel, std::move(call));
  } else if (path == "/stream") {
    desk_.probe().requested(Face::stream);
    if (desk_.admit(request, call) && !desk_.turned_away(request, call, StreamFace::kMethods))
      stream_face_.serve(request, std::move(call));
  } else if (path.starts_with(kFiles)) {
    desk_.probe().requested(Face::files);
    const std::string_view channel = path.substr(kFiles.size());
    if (desk_.admit(request, call) && check_channel(channel, call))
      file_face_.serve(request, channel, std::move(call));
  } else if (path == "/command") {
    desk_.probe().requested(Face::command);
    if (desk_.admit(request, call) && !desk_.turned_away(request, call, CommandFace::kMethods))
      command_face_.serve(request, std::move(call));
  } else {
    page(request, std::move(call));
  }
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
