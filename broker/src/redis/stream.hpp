#pragma once
// A byte stream to a Redis: TCP, a unix socket, or TLS over TCP. Asio is behind it; handlers come
// on the context's thread and hold what they need, so a stream may be let go at any time.

#include <functional>
#include <memory>
#include <string>

#include "redis/endpoint.hpp"
#include "redis/tls_context.hpp"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Asio names it
}  // namespace boost::asio

namespace peal::redis {

class Stream {
 public:
  /// An empty text: it went well.
  using Done = std::function<void(std::string error)>;
  using Read = std::function<void(std::string error, std::size_t bytes)>;

  virtual ~Stream() = default;
  virtual void connect(const Endpoint& endpoint, Done done) = 0;
  virtual void read(char* data, std::size_t size, Read done) = 0;
  /// All of it; one at a time.
  virtual void write(const char* data, std::size_t size, Done done) = 0;
  virtual void close() = 0;
};

/// `tls` may be null.
std::shared_ptr<Stream> make_stream(boost::asio::io_context& context,
                                    std::shared_ptr<TlsContext> tls);

}  // namespace peal::redis
