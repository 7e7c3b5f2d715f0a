#pragma once
// /channels/{name}: what a channel is over HTTP. The dispatch by method, query and Accept; the
// faces of its parts do the rest. One per shard, on its thread.

#include <string_view>

#include "http/change_face.hpp"
#include "http/desk.hpp"
#include "http/history_face.hpp"
#include "http/value_face.hpp"

namespace peal::gateway::http {

class ResourceFace {
 public:
  explicit ResourceFace(Desk& desk)
      : desk_(desk), value_face_(desk), history_face_(desk), change_face_(desk) {}
  /// `call` is admitted and `channel` a valid name.
  void serve(const Request& request, std::string_view channel, Call call);

 private:
  Desk& desk_;
  ValueFace value_face_;
  HistoryFace history_face_;
  ChangeFace change_face_;
};

}  // namespace peal::gateway::http
