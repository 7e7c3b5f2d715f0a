#include "redis/stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <vector>

#include "redis/tls_stream.hpp"

namespace peal::redis {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

std::string text_of(const error_code& error) {
  if (!error) return {};
  if (error == asio::error::eof) return "it closed the connection";
  return error.message();
}

class AsioStream final : public Stream, public std::enable_shared_from_this<AsioStream> {
 public:
  AsioStream(asio::io_context& context, std::shared_ptr<TlsContext> tls)
      : context_(context), resolver_(context), socket_(context), tls_context_(std::move(tls)) {}

  void connect(const Endpoint& endpoint, Done done) override {
    if (endpoint.is_unix()) {
      endpoints_ = {Protocol::endpoint(asio::local::stream_protocol::endpoint(endpoint.path))};
      return connect_to_any({}, std::move(done));
    }
    host_ = endpoint.address.host;
    resolver_.async_resolve(
        host_, std::to_string(endpoint.address.port),
        [self = shared_from_this(), done = std::move(done)](
            error_code error, const tcp::resolver::results_type& found) mutable {
          for (const auto& each : found)
            self->endpoints_.emplace_back(each.endpoint());
          self->connect_to_any(error, std::move(done));
        });
  }

  void read(char* data, std::size_t size, Read done) override {
    auto handler = [self = shared_from_this(), done = std::move(done)](
                       error_code error, std::size_t bytes) { done(text_of(error), bytes); };
    const auto buffer = asio::buffer(data, size);
    if (tls_) return tls_->async_read_some(buffer, std::move(handler));
    socket_.async_read_some(buffer, std::move(handler));
  }

  void write(const char* data, std::size_t size, Done done) override {
    auto handler = [self = shared_from_this(), done = std::move(done)](
                       error_code error, std::size_t) { done(text_of(error)); };
    const auto buffer = asio::buffer(data, size);
    if (tls_) return asio::async_write(*tls_, buffer, std::move(handler));
    asio::async_write(socket_, buffer, std::move(handler));
  }

  void close() override {
    closed_ = true;
    resolver_.cancel();
    error_code ignored;
    lowest().close(ignored);
  }

 private:
  Socket& lowest() { return tls_ ? tls_->next_layer() : socket_; }

  void connect_to_any(error_code error, Done done) {
    if (!error && closed_) error = asio::error::operation_aborted;
    if (error) {
      return asio::post(context_, [error, done = std::move(done)] { done(text_of(error)); });
    }
    asio::async_connect(socket_, endpoints_,
                        [self = shared_from_this(), done = std::move(done)](
                            error_code failed, const Protocol::endpoint& endpoint) mutable {
                          self->on_connected(failed, endpoint, std::move(done));
                        });
  }

  void on_connected(error_code error, const Protocol::endpoint& endpoint, Done done) {
    if (!error && closed_) error = asio::error::operation_aborted;
    if (error) return done(text_of(error));
    if (endpoint.protocol().family() != AF_UNIX) {
      error_code ignored;
      socket_.set_option(tcp::no_delay(true), ignored);
    }
    if (!tls_context_ || endpoint.protocol().family() == AF_UNIX) return done({});
    tls_.emplace(std::move(socket_), tls_context_->impl->context);
    name_server(*tls_, tls_context_->server_name.empty() ? host_ : tls_context_->server_name);
    tls_->async_handshake(asio::ssl::stream_base::client,
                          [self = shared_from_this(), done = std::move(done)](error_code failed) {
                            done(failed ? "TLS: " + text_of(failed) : std::string());
                          });
  }

  asio::io_context& context_;
  tcp::resolver resolver_;
  Socket socket_;
  std::shared_ptr<TlsContext> tls_context_;
  std::optional<TlsStream> tls_{};
  std::vector<Protocol::endpoint> endpoints_{};
  std::string host_{};
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<Stream> make_stream(asio::io_context& context, std::shared_ptr<TlsContext> tls) {
  return std::make_shared<AsioStream>(context, std::move(tls));
}

}  // namespace peal::redis
