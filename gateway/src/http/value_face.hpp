#pragma once
// GET and HEAD of a channel's value: conditions, and one URI for the value in its own type and as a
// page to look at. One per shard, on its thread; holds nothing between requests.

#include <string_view>

#include "http/desk.hpp"

namespace peal::gateway::http {

class ValueFace {
 public:
  explicit ValueFace(Desk& desk) : desk_(desk) {}
  /// `call` is admitted and `channel` a valid name.
  void serve(const Request& request, std::string_view channel, Call call);

 private:
  struct Question;
  Response response_to(const Question& question, const bus::Page& page) const;

  Desk& desk_;
};

}  // namespace peal::gateway::http
