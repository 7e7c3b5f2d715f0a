#pragma once
// POST, PUT and DELETE of a channel: publish the body, set the value, delete it. Conditions become
// expectations that the core judges in the moment of the append, so of two writers one wins and the
// other is told the current value (412); what was read before decides nothing. One per shard, on
// its thread; a change lives until it is answered.

#include <memory>
#include <string_view>

#include "http/desk.hpp"
#include "peal/proto/json.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

class ChangeFace {
 public:
  explicit ChangeFace(Desk& desk) : desk_(desk), json_(desk.limits()) {}
  /// `call` is admitted and `channel` a valid name; POST, PUT or DELETE.
  void serve(const Request& request, std::string_view channel, Call call);

 private:
  struct Change;
  using ChangePtr = std::shared_ptr<Change>;

  std::optional<Error> read_change(const Request& request, Change& change);
  void attempt(const ChangePtr& change);
  void attempt_on_what_is_there(const ChangePtr& change);
  void publish(const ChangePtr& change, std::optional<Position> expect, bus::ExpectValue value);
  void judged(const ChangePtr& change, const bus::Published& outcome);
  void done(const ChangePtr& change, const bus::Published& outcome);
  void precondition_failed(const ChangePtr& change);

  Desk& desk_;
  JsonProtocol json_;
  JsonReader reader_;
};

}  // namespace peal::gateway::http
