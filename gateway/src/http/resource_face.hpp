#pragma once
// /channels/{name}: what a channel is over HTTP. This is the dispatch by method; POST is the
// PublishFace's. One per shard, on its thread.

#include <string_view>

#include "http/desk.hpp"
#include "http/publish_face.hpp"

namespace peal::gateway::http {

class ResourceFace {
 public:
  explicit ResourceFace(Desk& desk) : desk_(desk), publish_face_(desk) {}
  /// `call` is admitted and `channel` a valid name.
  void serve(const Request& request, std::string_view channel, Call call);

 private:
  Desk& desk_;
  PublishFace publish_face_;
};

}  // namespace peal::gateway::http
