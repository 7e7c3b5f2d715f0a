#include "http/resource_face.hpp"

#include <utility>

namespace peal::gateway::http {
namespace {

constexpr Methods kMethods{"POST", "Authorization, Content-Type, Idempotency-Key"};

}  // namespace

void ResourceFace::serve(const Request& request, std::string_view channel, Call call) {
  if (desk_.turned_away(request, call, kMethods)) return;
  publish_face_.publish(request, channel, std::move(call));
}

}  // namespace peal::gateway::http
