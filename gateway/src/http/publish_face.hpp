#pragma once
// POST /channels/{name}: publishes the body. One per shard, on its thread.

#include <string_view>

#include "http/desk.hpp"
#include "peal/proto/json.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

class PublishFace {
 public:
  explicit PublishFace(Desk& desk) : desk_(desk), json_(desk.limits()) {}
  /// `call` is admitted and `channel` a valid name.
  void publish(const Request& request, std::string_view channel, Call call);

 private:
  Desk& desk_;
  JsonProtocol json_;
  JsonReader reader_;
};

}  // namespace peal::gateway::http
