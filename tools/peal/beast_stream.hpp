#pragma once
// Opening a plain or TLS stream to a gateway for Beast: name lookup, connect, handshake, each
// within the stream's own deadline. Included by the HTTP and the WebSocket client only: the command
// line's door to Beast is these three files.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>

#include "url.hpp"

namespace peal::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// `ca`: a PEM file; empty: the system's authorities. Throws when the file is unreadable.
inline asio::ssl::context make_tls_context(const std::string& ca) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  if (ca.empty()) {
    context.set_default_verify_paths();
  } else {
    context.load_verify_file(ca);
  }
  context.set_verify_mode(asio::ssl::verify_peer);
  return context;
}

inline asio::awaitable<beast::error_code> open_tcp(beast::tcp_stream& stream, const Url& url,
                                                   std::chrono::milliseconds timeout) {
  asio::ip::tcp::resolver resolver(stream.get_executor());
  auto [failed, endpoints] = co_await resolver.async_resolve(url.host, url.port, kAwait);
  if (failed) {
    co_return failed;
  }
  stream.expires_after(timeout);
  auto [refused, endpoint] = co_await stream.async_connect(endpoints, kAwait);
  if (!refused) {
    beast::error_code ignored;
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  }
  co_return refused;
}

inline asio::awaitable<beast::error_code> open_stream(PlainStream& stream, const Url& url,
                                                      std::chrono::milliseconds timeout) {
  co_return co_await open_tcp(stream, url, timeout);
}

inline asio::awaitable<beast::error_code> open_stream(TlsStream& stream, const Url& url,
                                                      std::chrono::milliseconds timeout) {
  if (auto failed = co_await open_tcp(stream.next_layer(), url, timeout)) {
    co_return failed;
  }
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str());
  auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::client, kAwait);
  co_return failed;
}

inline std::string why_not(const beast::error_code& code) {
  return code == beast::error::timeout ? "no answer in time" : code.message();
}

}  // namespace peal::cli
