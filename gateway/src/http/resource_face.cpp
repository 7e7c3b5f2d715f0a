#include "http/resource_face.hpp"

#include <utility>

namespace peal::gateway::http {
namespace {

constexpr Methods kMethods{"GET, HEAD, POST, PUT, DELETE",
                           "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                           "Last-Event-ID"};

}  // namespace

void ResourceFace::serve(const Request& request, std::string_view channel, Call call) {
  if (desk_.turned_away(request, call, kMethods)) return;
  call.target = request.target;
  if (request.method != "GET" && request.method != "HEAD")
    return change_face_.serve(request, channel, std::move(call));
  if (HistoryFace::state_wanted(request.query))
    return history_face_.serve_state(channel, std::move(call));
  if (HistoryFace::wanted(request.query))
    return history_face_.serve(request, channel, std::move(call));
  value_face_.serve(request, channel, std::move(call));
}

}  // namespace peal::gateway::http
