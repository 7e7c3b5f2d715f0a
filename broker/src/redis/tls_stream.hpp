#pragma once
// The one place where TLS meets a socket to Redis: Asio's stream, a server name, and a certificate
// that must name it.

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <functional>
#include <string>

#include "redis/tls_context.hpp"

namespace peal::redis {

using Socket = boost::asio::generic::stream_protocol::socket;
using TlsStream = boost::asio::ssl::stream<Socket>;

struct TlsContext::Impl {
  boost::asio::ssl::context context{boost::asio::ssl::context::tls_client};
};

/// Asks for `host`, and takes only a certificate that names it.
void name_server(TlsStream& stream, const std::string& host);

}  // namespace peal::redis
