#pragma once
// GET /channels/{name}?since=…: pages of history, and ?state: the last publication of each key. One
// per shard, on its thread; holds nothing between requests.

#include <string>
#include <string_view>

#include "http/desk.hpp"
#include "session/json_protocol.hpp"

namespace peal::gateway::http {

/// The read that a query asks for (since, limit, reverse); request_invalid names what is wrong.
/// `channel` must outlive the result.
Result<bus::ReadRequest> read_history_query(std::string_view query, std::string_view channel,
                                            const Limits& limits);
/// 200 {"epoch","offset","publications"}, or the page's error; position_lost says where the log is
/// now.
Response history_response(JsonProtocol& json, const bus::Page& page, std::string cache_control);

class HistoryFace {
 public:
  explicit HistoryFace(Desk& desk) : desk_(desk), json_(desk.limits()) {}
  /// Whether a query asks for history.
  static bool wanted(std::string_view query);
  static bool state_wanted(std::string_view query);
  /// `call` is admitted and `channel` a valid name.
  void serve(const Request& request, std::string_view channel, Call call);
  void serve_state(std::string_view channel, Call call);

 private:
  Desk& desk_;
  JsonProtocol json_;
};

}  // namespace peal::gateway::http
