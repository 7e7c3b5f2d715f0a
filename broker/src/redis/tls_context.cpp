#include "redis/tls_context.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>

#include "redis/tls_stream.hpp"

namespace peal::redis {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Error unusable(const std::string& key, const std::string& file, const error_code& error) {
  return fail(ErrorCode::config_invalid, key + ": " + file + ": " + error.message());
}

}  // namespace

TlsContext::TlsContext() : impl(std::make_unique<Impl>()) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::make(const Config& config) {
  auto made = std::make_shared<TlsContext>();
  ssl::context& context = made->impl->context;
  error_code error;
  context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                          ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                          ssl::context::no_tlsv1_1,
                      error);
  context.set_verify_mode(ssl::verify_peer, error);
  if (config.tls_ca_file.empty()) {
    context.set_default_verify_paths(error);
  } else {
    context.load_verify_file(config.tls_ca_file, error);
  }
  if (error) return unusable("redis.tls_ca_file", config.tls_ca_file, error);
  if (!config.tls_certificate_file.empty()) {
    context.use_certificate_chain_file(config.tls_certificate_file, error);
    if (error) return unusable("redis.tls_certificate_file", config.tls_certificate_file, error);
    context.use_private_key_file(config.tls_key_file, ssl::context::pem, error);
    if (error) return unusable("redis.tls_key_file", config.tls_key_file, error);
  }
  made->server_name = config.tls_server_name;
  return made;
}

void name_server(TlsStream& stream, const std::string& host) {
  error_code error;
  boost::asio::ip::make_address(host, error);
  if (error) SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
  stream.set_verify_callback(ssl::host_name_verification(host), error);
}

}  // namespace peal::redis
