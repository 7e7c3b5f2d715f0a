#pragma once
// One WebSocket connection to a gateway, over Beast's own stream: the other implementation than the
// gateway's, so that each checks the other. Runs until it ends, on the calling thread. Pings find a
// dead server; a signal closes it properly.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "url.hpp"

namespace peal::cli {

class WsHandler {
 public:
  enum class Next { more, close };
  virtual ~WsHandler() = default;
  /// The first messages, sent when the connection is open.
  virtual std::vector<std::string> on_open() = 0;
  virtual Next on_message(std::string_view text) = 0;
};

struct WsEnd {
  enum class Why {
    unreachable,  ///< no connection
    refused,      ///< the gateway answered, but with no upgrade
    closed,       ///< it was open and ended: by a Close frame (`code`), or the link broke (0)
    stopped,      ///< the handler or a signal wanted it
  } why = Why::unreachable;
  int code = 0;
  std::string reason;
};

WsEnd run_websocket(const Url& url, const std::string& ca, std::chrono::milliseconds timeout,
                    WsHandler& handler);

}  // namespace peal::cli
