#include "ws_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <exception>
#include <memory>

#include <unistd.h>

#include "beast_stream.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

namespace websocket = beast::websocket;
using std::chrono::milliseconds;

constexpr std::size_t kMessageBytesMax = 64 << 20;
constexpr auto kSilenceMax = std::chrono::seconds(30);

template <class Stream>
class Run {
 public:
  template <class... More>
  Run(const Url& url, milliseconds timeout, WsHandler& handler, More&... more)
      : url_(url), timeout_(timeout), handler_(handler), stream_(io_, more...), signal_(io_) {}

  WsEnd until_end() {
    watch_signals();
    asio::co_spawn(io_, session(), [this](std::exception_ptr error) {
      beast::error_code ignored;
      signal_.close(ignored);
      thrown_ = error;
    });
    io_.run();
    if (thrown_) {
      std::rethrow_exception(thrown_);
    }
    return end_;
  }

 private:
  void watch_signals() {
    if (interrupt_fd() < 0) {
      return;
    }
    signal_.assign(::dup(interrupt_fd()));
    signal_.async_wait(asio::posix::stream_descriptor::wait_read, [this](beast::error_code failed) {
      if (failed) {
        return;
      }
      stopping_ = true;
      if (open_) {
        asio::co_spawn(io_, close(), asio::detached);
      } else {
        beast::get_lowest_layer(stream_).cancel();
      }
    });
  }

  asio::awaitable<void> close() {
    [[maybe_unused]] auto [ignored] =
        co_await stream_.async_close(websocket::close_code::normal, kAwait);
  }

  asio::awaitable<void> session() {
    if (!co_await open()) {
      co_return;
    }
    open_ = true;
    for (const std::string& message : handler_.on_open()) {
      stream_.text(true);
      auto [failed, n] = co_await stream_.async_write(asio::buffer(message), kAwait);
      if (failed) {
        ended(failed);
        co_return;
      }
    }
    beast::flat_buffer buffer;
    for (;;) {
      auto [failed, n] = co_await stream_.async_read(buffer, kAwait);
      if (failed) {
        ended(failed);
        co_return;
      }
      const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.size());
      if (handler_.on_message(text) == WsHandler::Next::close) {
        stopping_ = true;
        co_await close();
        end_ = {WsEnd::Why::stopped, 0, {}};
        co_return;
      }
      buffer.consume(buffer.size());
    }
  }

  asio::awaitable<bool> open() {
    if (const auto failed = co_await open_stream(stream_.next_layer(), url_, timeout_)) {
      end_ = {stopping_ ? WsEnd::Why::stopped : WsEnd::Why::unreachable, 0, why_not(failed)};
      co_return false;
    }
    beast::get_lowest_layer(stream_).expires_never();
    stream_.set_option(websocket::stream_base::timeout{timeout_, kSilenceMax, true});
    stream_.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(beast::http::field::sec_websocket_protocol, "peal.json.v1");
      request.set(beast::http::field::user_agent, "peal");
    }));
    stream_.read_message_max(kMessageBytesMax);
    websocket::response_type response;
    // Named: GCC 12 destroys conditional temporaries of a co_await expression that never lived.
    const std::string host = url_.authority();
    const std::string target = url_.path.empty() || url_.path == "/" ? "/ws" : url_.path;
    auto [failed] = co_await stream_.async_handshake(response, host, target, kAwait);
    if (failed) {
      const bool answered = failed == websocket::error::upgrade_declined;
      const std::string status = "HTTP " + std::to_string(response.result_int()) + ": ";
      end_ = {stopping_  ? WsEnd::Why::stopped
              : answered ? WsEnd::Why::refused
                         : WsEnd::Why::unreachable,
              static_cast<int>(response.result_int()),
              answered ? status + response.body() : why_not(failed)};
      co_return false;
    }
    co_return true;
  }

  void ended(const beast::error_code& code) {
    if (stopping_) {
      end_ = {WsEnd::Why::stopped, 0, {}};
    } else if (code == websocket::error::closed) {
      end_ = {WsEnd::Why::closed, stream_.reason().code, stream_.reason().reason.c_str()};
    } else {
      end_ = {WsEnd::Why::closed, 0, why_not(code)};
    }
  }

  const Url& url_;
  milliseconds timeout_;
  WsHandler& handler_;
  asio::io_context io_;
  websocket::stream<Stream, false> stream_;  // no deflate: half the code to compile
  asio::posix::stream_descriptor signal_;
  bool open_ = false;
  bool stopping_ = false;
  WsEnd end_;
  std::exception_ptr thrown_;
};

}  // namespace

WsEnd run_websocket(const Url& url, const std::string& ca, milliseconds timeout,
                    WsHandler& handler) {
  try {
    if (url.tls) {
      asio::ssl::context context = make_tls_context(ca);
      return Run<TlsStream>(url, timeout, handler, context).until_end();
    }
    return Run<PlainStream>(url, timeout, handler).until_end();
  } catch (const std::exception& error) {
    return {WsEnd::Why::unreachable, 0, error.what()};
  }
}

}  // namespace peal::cli
