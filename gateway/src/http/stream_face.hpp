#pragma once
// /stream, and /channels/{name} as a stream: many channels in one response, as server-sent events
// or as one answer that waits. Server-sent events make the connection a session of the shard, which
// then is the hub's like any other; a wait is the Polls'. One per shard, on its thread.

#include <memory>
#include <string_view>

#include "http/desk.hpp"
#include "http/stream_request.hpp"

namespace peal::gateway::http {

class StreamFace {
 public:
  static constexpr Methods kMethods{"GET, POST", "Authorization, Content-Type, Last-Event-ID"};

  explicit StreamFace(Desk& desk) : desk_(desk), protocol_(desk.limits()), reader_(desk.limits()) {}
  /// /stream. `call` is admitted, the method one of kMethods.
  void serve(const Request& request, Call call);
  /// One channel as server-sent events: the value there is, then what comes. `call` is admitted and
  /// `channel` a valid name.
  void follow(const Request& request, std::string_view channel, Call call);

  /// A page of one channel's history that is waited for (`wait=`), likewise.
  void wait(const Request& request, std::string_view channel, Call call);

 private:
  struct Waiting;
  void open(Call& call, const StreamOrder& order);
  /// Answers when no channel of the order is allowed.
  bool all_refused(Call& call, const StreamOrder& order);

  Desk& desk_;
  JsonProtocol protocol_;  ///< of the sessions
  StreamRequestReader reader_;
};

}  // namespace peal::gateway::http
