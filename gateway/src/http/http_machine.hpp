#pragma once
// HTTP/1.1 as a sans-I/O machine over Beast's parser and serializer: bytes in, one whole request at
// a time out. Beast is included in the .cpp only. A connection has one only until its upgrade, or
// between requests. Nothing is parsed behind a request whose response is pending; its bytes stay
// with the caller.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/proto/limits.hpp"
#include "peal/proto/position.hpp"
#include "peal/proto/result.hpp"

namespace peal::gateway::http {

/// A request; views are valid until `next` is called again.
struct Request {
  std::string_view method;
  std::string_view target;  ///< as sent
  std::string path;        ///< percent-decoded path without query (raw bytes checked by the router)
  std::string_view query;  ///< raw, without '?'
  bool keep_alive = true;
  bool takes_chunks = true;  ///< HTTP/1.1
  std::string_view body;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  /// First header of that name (case-insensitive), or empty.
  std::string_view header(std::string_view name) const;
  /// How many headers have that name.
  std::size_t count(std::string_view name) const;
};

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool close = false;
  bool head_only = false;  ///< answer to HEAD: length, no body
  /// Of a body that is not in `body` but follows (BodySource), or would without HEAD.
  std::optional<std::uint64_t> body_bytes{};
  bool chunked = false;  ///< a body that follows without a known length
};

class HttpMachine {
 public:
  explicit HttpMachine(const Limits& limits);
  ~HttpMachine();

  struct Step {
    std::size_t consumed = 0;
    const Request* request = nullptr;  ///< a whole request is there
    std::optional<Error> error;        ///< answer with it and close
    bool continue_expected = false;    ///< send "100 Continue" (once)
  };
  /// Feeds bytes; stops at the end of one request. Body limit: limits.command_bytes_max.
  Step feed(std::string_view bytes);
  /// Ready for the next request.
  void next();
  bool in_body() const;  ///< which deadline counts: header or body

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The response's bytes, with Date, Content-Length, Connection as due.
void append_response(std::string& out, const Response& response, bool keep_alive);
/// The head of a response of server-sent events, which ends with its connection.
void append_stream_head(std::string& out,
                        const std::vector<std::pair<std::string, std::string>>& headers);
/// application/problem+json (RFC 9457); `position` is where the log is that didn't match.
Response problem(const Error& error, const std::optional<Position>& position = {});

}  // namespace peal::gateway::http
