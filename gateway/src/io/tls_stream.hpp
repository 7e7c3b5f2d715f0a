#pragma once
// OpenSSL straight on a non-blocking socket. Its BIO sends with MSG_NOSIGNAL, so that a library
// user's process is not killed by SIGPIPE. ERR_clear_error comes before each call, since OpenSSL
// judges a result by what other calls left behind. Buffers are released while idle
// (SSL_MODE_RELEASE_BUFFERS).

#include <openssl/ssl.h>

#include <span>
#include <string>

#include "io/transport.hpp"

namespace peal::gateway {

class TlsStream {
 public:
  TlsStream(TlsContext& context, int fd);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  IoResult handshake();
  IoResult read(char* data, std::size_t size);
  IoResult write(std::span<const iovec> pieces);
  void shutdown();
  bool pinned() const { return !pinned_.empty(); }
  bool has_pending() const { return SSL_has_pending(ssl_) == 1 && SSL_pending(ssl_) > 0; }
  bool read_wants_write() const { return read_wants_write_; }

 private:
  IoResult write_record(const char* data, std::size_t size);
  IoResult verdict(int returned) const;

  SSL* ssl_;
  std::string pinned_;
  bool read_wants_write_ = false;
};

}  // namespace peal::gateway
