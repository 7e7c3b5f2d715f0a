#include "bench/client/tls_client.hpp"

#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace peal::bench {
namespace {

/// One for all connections; OpenSSL counts who uses it.
SSL_CTX* shared_context() {
  static SSL_CTX* context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
    return made;
  }();
  return context;
}

}  // namespace

struct TlsClient::Impl {
  SSL* ssl = nullptr;
  bool wants_write = false;

  /// What a call that gave `result` wants: to be made again, or nothing any more.
  ssize_t outcome(int result) {
    const int error = SSL_get_error(ssl, result);
    wants_write = error == SSL_ERROR_WANT_WRITE;
    if (result > 0) {
      return result;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
      return 0;
    }
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return -1;
  }
};

TlsClient::TlsClient(int fd) : impl_(new Impl) {
  impl_->ssl = SSL_new(shared_context());
  SSL_set_fd(impl_->ssl, fd);
  SSL_set_connect_state(impl_->ssl);
}

TlsClient::~TlsClient() {
  SSL_free(impl_->ssl);
}

TlsClient::Step TlsClient::shake_hands() {
  ERR_clear_error();
  if (impl_->outcome(SSL_do_handshake(impl_->ssl)) > 0) {
    return Step::done;
  }
  return errno == EAGAIN ? Step::more : Step::failed;
}

ssize_t TlsClient::receive(char* to, std::size_t size) {
  ERR_clear_error();
  return impl_->outcome(SSL_read(impl_->ssl, to, static_cast<int>(size)));
}

ssize_t TlsClient::send(std::string_view bytes) {
  ERR_clear_error();
  return impl_->outcome(SSL_write(impl_->ssl, bytes.data(), static_cast<int>(bytes.size())));
}

bool TlsClient::wants_write() const {
  return impl_->wants_write;
}

}  // namespace peal::bench
