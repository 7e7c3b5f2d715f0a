#include "http/resource_face.hpp"

#include <utility>

#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

constexpr Methods kMethods{"GET, HEAD, POST, PUT, DELETE",
                           "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                           "Last-Event-ID"};
/// A file is appended to or replaced; it has no value that could be deleted.
constexpr Methods kFileMethods{"GET, HEAD, POST, PUT", kMethods.headers};

}  // namespace

void ResourceFace::serve(const Request& request, std::string_view channel, Call call) {
  const ChannelRule* rule = call.exchange.shard().config().rules->find(channel);
  const bool file = rule != nullptr && rule->file;
  if (desk_.turned_away(request, call, file ? kFileMethods : kMethods)) return;
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
