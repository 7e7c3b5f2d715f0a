#pragma once
// HTTP to one gateway: requests one after the other on a connection that is kept. A request is sent
// once; when the connection breaks after that, the caller is told so and not helped by sending it
// again.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "url.hpp"

namespace peal::cli {

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool waits = false;  ///< the answer may take long: Ctrl-C gives it up
};

struct HttpResponse {
  unsigned status = 0;
  std::string content_type;
  std::string tag;  ///< ETag
  std::string body;
};

class HttpClient {
 public:
  HttpClient(Url url, std::string ca);
  ~HttpClient();
  /// Fails when the request certainly was not sent whole: nobody there, or TLS not agreed.
  Outcome<void> connect(std::chrono::milliseconds timeout);
  /// Connects when needed. Fails as `refused` with publish_outcome_unknown once it was sent and no
  /// answer came.
  Outcome<HttpResponse> request(const HttpRequest& request, std::chrono::milliseconds timeout);

 private:
  class Connection;
  template <class Stream>
  class ConnectionOver;
  Url url_;
  std::string ca_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace peal::cli
