#pragma once
// What a request to /stream asks for: which channels, from where, and whether it waits for one
// answer (long-poll) or listens on (server-sent events). Reads body, query and Last-Event-ID; each
// channel of a body is read as the payload of a subscribe command, so both mean the same. Errors
// are about the request as a whole. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "http/http_machine.hpp"
#include "peal/proto/json.hpp"
#include "session/json_protocol.hpp"
#include "session/stream_cursor.hpp"
#include "session/stream_order.hpp"

namespace peal::gateway::http {

struct StreamRequest {
  StreamOrder order;
  std::optional<StreamCursor> cursor;             ///< what came back of an earlier stream or poll
  std::optional<std::chrono::milliseconds> wait;  ///< given: a long-poll
};

class StreamRequestReader {
 public:
  explicit StreamRequestReader(const Limits& limits) : limits_(limits), json_(limits) {}
  /// POST reads the body, other methods the query's `channel`s.
  Result<StreamRequest> read(const Request& request);
  /// Of a `wait` in the query: at most limits.wait_max; none when there is none.
  Result<std::optional<std::chrono::milliseconds>> read_wait(std::string_view query) const;

 private:
  using Failure = std::optional<Error>;
  Failure read_body(std::string_view body, StreamRequest& made, std::string& token);
  Failure read_channel(std::string_view raw, StreamRequest& made);
  Failure read_query(std::string_view query, bool channels, StreamRequest& made,
                     std::string& token) const;
  Failure check(StreamRequest& made, bool body) const;
  static Failure go_on_from(std::string_view token, StreamRequest& made);

  const Limits limits_;
  JsonProtocol json_;
  JsonReader reader_;
  Command command_;
  std::string scratch_;
};

}  // namespace peal::gateway::http
