#include "http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <exception>
#include <functional>

#include <sys/socket.h>
#include <unistd.h>

#include "beast_stream.hpp"
#include "signals.hpp"

namespace peal::cli {

namespace http = beast::http;
using std::chrono::milliseconds;

constexpr std::uint64_t kBodyBytesMax = 64 << 20;

class HttpClient::Connection {
 public:
  virtual ~Connection() = default;
  virtual beast::error_code open(milliseconds timeout) = 0;
  virtual bool still_open() = 0;
  /// `sent` is false when the request certainly did not leave whole.
  virtual beast::error_code exchange(const HttpRequest& request, milliseconds timeout,
                                     HttpResponse& response, bool& sent) = 0;
};

template <class Stream>
class HttpClient::ConnectionOver final : public HttpClient::Connection {
 public:
  template <class... More>
  explicit ConnectionOver(const Url& url, More&... more) : url_(url), stream_(io_, more...) {}

  beast::error_code open(milliseconds timeout) override {
    return run(open_stream(stream_, url_, timeout));
  }

  /// Between requests a plain server has nothing to say; a TLS one may have (session tickets).
  bool still_open() override {
    char byte = 0;
    const int fd = beast::get_lowest_layer(stream_).socket().native_handle();
    const ssize_t n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const bool silent = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return keep_ && (silent || (n > 0 && url_.tls));
  }

  beast::error_code exchange(const HttpRequest& request, milliseconds timeout,
                             HttpResponse& response, bool& sent) override {
    asio::posix::stream_descriptor signal(io_);
    if (request.waits && interrupt_fd() >= 0) {
      signal.assign(::dup(interrupt_fd()));
      signal.async_wait(asio::posix::stream_descriptor::wait_read, [this](beast::error_code none) {
        if (!none) beast::get_lowest_layer(stream_).cancel();
      });
    }
    return run(exchange_all(request, timeout, response, sent), [&signal] {
      beast::error_code ignored;
      signal.close(ignored);
    });
  }

 private:
  beast::error_code run(
      asio::awaitable<beast::error_code> work, const std::function<void()>& done = [] {}) {
    beast::error_code result;
    std::exception_ptr thrown;
    asio::co_spawn(io_, std::move(work), [&](std::exception_ptr error, beast::error_code code) {
      thrown = error;
      result = code;
      done();
    });
    io_.restart();
    io_.run();
    if (thrown) {
      std::rethrow_exception(thrown);
    }
    return result;
  }

  asio::awaitable<beast::error_code> exchange_all(const HttpRequest& request, milliseconds timeout,
                                                  HttpResponse& response, bool& sent) {
    http::request<http::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.version(11);
    message.set(http::field::host, url_.authority());
    for (const auto& [name, value] : request.headers) {
      message.set(name, value);
    }
    message.body() = request.body;
    message.prepare_payload();
    beast::get_lowest_layer(stream_).expires_after(timeout);
    auto [unsent, sent_bytes] = co_await http::async_write(stream_, message, kAwait);
    if (unsent) {
      co_return unsent;
    }
    sent = true;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kBodyBytesMax);
    auto [unread, read_bytes] = co_await http::async_read(stream_, buffer_, parser, kAwait);
    if (unread) {
      co_return unread;
    }
    keep_ = parser.get().keep_alive();
    response.status = parser.get().result_int();
    response.content_type = std::string(parser.get()[http::field::content_type]);
    response.tag = std::string(parser.get()[http::field::etag]);
    response.body = std::move(parser.get().body());
    co_return beast::error_code();
  }

  const Url& url_;
  asio::io_context io_;
  Stream stream_;
  beast::flat_buffer buffer_;
  bool keep_ = true;
};

HttpClient::HttpClient(Url url, std::string ca) : url_(std::move(url)), ca_(std::move(ca)) {}
HttpClient::~HttpClient() = default;

Outcome<void> HttpClient::connect(milliseconds timeout) {
  const std::string where = "cannot reach " + url_.authority() + ": ";
  try {
    if (url_.tls) {
      // The connection keeps what it needs of the context: OpenSSL counts references to it.
      asio::ssl::context context = make_tls_context(ca_);
      connection_ = std::make_unique<ConnectionOver<TlsStream>>(url_, context);
    } else {
      connection_ = std::make_unique<ConnectionOver<PlainStream>>(url_);
    }
    if (const auto failed = connection_->open(timeout)) {
      connection_.reset();
      return unreachable(where + why_not(failed));
    }
  } catch (const std::exception& error) {
    connection_.reset();
    return unreachable(where + error.what());
  }
  return {};
}

Outcome<HttpResponse> HttpClient::request(const HttpRequest& request, milliseconds timeout) {
  if (!connection_ || !connection_->still_open()) {
    if (auto connected = connect(timeout); !connected) {
      return connected.error();
    }
  }
  HttpResponse response;
  bool sent = false;
  if (const auto failed = connection_->exchange(request, timeout, response, sent)) {
    connection_.reset();
    if (sent) {
      return Failure{Exit::refused, "publish_outcome_unknown",
                     "no answer from " + url_.authority() + ": " + why_not(failed)};
    }
    return unreachable("the link to " + url_.authority() + " is lost: " + why_not(failed));
  }
  return response;
}

}  // namespace peal::cli
