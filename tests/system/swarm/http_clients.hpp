#pragma once
// HTTP/1.1 requests of many clients on one epoll set and one thread, for answers that come in
// pieces: server-sent events and long-polls. One request per connection; the answer's body is told
// as it arrives, without its framing (Content-Length, chunked, or until the end). An Id is not used
// again. `descriptor` is readable when `turn` has something to do, so that another loop can wait
// for it.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client/client_loop.hpp"

namespace peal::swarm {

using RequestId = std::uint32_t;

class HttpEvents {
 public:
  virtual ~HttpEvents() = default;
  virtual void on_status(RequestId, int status) = 0;
  virtual void on_body(RequestId, std::string_view bytes) = 0;
  /// `whole`: the answer came to its end; else the connection broke before.
  virtual void on_end(RequestId, bool whole) = 0;
};

class HttpClients {
 public:
  explicit HttpClients(HttpEvents& events);
  ~HttpClients();
  HttpClients(const HttpClients&) = delete;
  HttpClients& operator=(const HttpClients&) = delete;

  /// Sends `request` (its bytes, with Connection: close) on a connection of its own.
  Result<RequestId> start(const bench::Target& target, std::string request);
  void drop(RequestId id);  ///< at once; nothing more is told of it
  int descriptor() const { return epoll_; }
  void turn();

 private:
  enum class Body : std::uint8_t { head, counted, chunked, until_end, done };
  struct Request {
    int fd = -1;
    std::string out;
    std::string in;  ///< of the head, or of a chunk's header
    Body body = Body::head;
    bool chunked = false;
    std::uint64_t left = 0;  ///< of the body or the chunk
  };

  void receive(RequestId id);
  void take(RequestId id, std::string_view bytes);
  bool take_head(RequestId id, Request& request);
  std::string_view take_chunk_header(Request& request, std::string_view bytes);
  void end(RequestId id, bool whole);

  HttpEvents& events_;
  int epoll_;
  std::deque<Request> requests_;
  std::vector<char> buffer_;
};

}  // namespace peal::swarm
