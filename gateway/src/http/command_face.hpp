#pragma once
// POST /command: one command object, one reply, as over /ws; for clients that hold no session. One
// per shard, on its thread.

#include "http/desk.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

class CommandFace {
 public:
  static constexpr Methods kMethods{"POST", "Authorization, Content-Type, Idempotency-Key"};

  explicit CommandFace(Desk& desk) : desk_(desk), json_(desk.limits()) {}
  /// `call` is admitted.
  void serve(const Request& request, Call call);

 private:
  void publish(const Command& command, Call call);
  void history(const Command& command, Call call);
  void presence(const Command& command, Call call);

  Desk& desk_;
  JsonProtocol json_;
  Command command_;
};

}  // namespace peal::gateway::http
