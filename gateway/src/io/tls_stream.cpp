#include "io/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace peal::gateway {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;

int fd_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(fd_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(fd_of(bio), data, static_cast<std::size_t>(size), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long bio_control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

/// A table of functions, made once: streams may outlive the context that they began with.
const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peal socket");
    if (method == nullptr) return method;
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    BIO_meth_set_create(method, bio_create);
    return method;
  }();
  return made;
}

std::string last_reason() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_peek_last_error();
  ERR_error_string_n(code, text.data(), text.size());
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : text.data();
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::make(const std::string& certificate_file,
                                                     const std::string& key_file) {
  ERR_clear_error();
  std::shared_ptr<TlsContext> made(new TlsContext);
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  made->context_ = context;
  if (context == nullptr || socket_method() == nullptr)
    return fail(ErrorCode::config_invalid, "OpenSSL can't be started: " + last_reason());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return fail(ErrorCode::config_invalid,
                "tls.certificate: can't read '" + certificate_file + "': " + last_reason());
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(ErrorCode::config_invalid,
                "tls.key: can't read '" + key_file + "': " + last_reason());
  if (SSL_CTX_check_private_key(context) != 1)
    return fail(ErrorCode::config_invalid,
                "tls.key: '" + key_file + "' is not the key of '" + certificate_file + "'");
  return made;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

TlsStream::TlsStream(TlsContext& context, int fd)
    : ssl_(SSL_new(static_cast<SSL_CTX*>(context.context_))) {
  BIO* bio = BIO_new(socket_method());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
}

IoResult TlsStream::verdict(int returned) const {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {IoResult::Status::again, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {IoResult::Status::closed, 0};
    default:
      return {IoResult::Status::failed, 0};
  }
}

IoResult TlsStream::handshake() {
  ERR_clear_error();
  const int returned = SSL_accept(ssl_);
  read_wants_write_ = returned != 1 && SSL_want_write(ssl_);
  return returned == 1 ? IoResult{} : verdict(returned);
}

IoResult TlsStream::read(char* data, std::size_t size) {
  ERR_clear_error();
  std::size_t done = 0;
  const int returned = SSL_read_ex(ssl_, data, size, &done);
  read_wants_write_ = returned != 1 && SSL_want_write(ssl_);
  return returned == 1 ? IoResult{IoResult::Status::ok, done} : verdict(returned);
}

IoResult TlsStream::write_record(const char* data, std::size_t size) {
  ERR_clear_error();
  std::size_t done = 0;
  const int returned = SSL_write_ex(ssl_, data, size, &done);
  return returned == 1 ? IoResult{IoResult::Status::ok, done} : verdict(returned);
}

IoResult TlsStream::write(std::span<const iovec> pieces) {
  if (!pinned_.empty()) {
    const IoResult result = write_record(pinned_.data(), pinned_.size());
    if (result.status != IoResult::Status::ok) return result;
    pinned_ = std::string();  // a record is written whole or not at all
  }
  std::size_t total = 0;
  std::size_t at = 0;      // piece
  std::size_t inside = 0;  // byte of it
  std::array<char, kRecordBytes> record;
  while (at < pieces.size()) {
    std::size_t size = 0;
    while (at < pieces.size() && size < kRecordBytes) {
      const std::size_t n = std::min(pieces[at].iov_len - inside, kRecordBytes - size);
      std::memcpy(record.data() + size, static_cast<const char*>(pieces[at].iov_base) + inside, n);
      size += n;
      inside += n;
      if (inside == pieces[at].iov_len) {
        ++at;
        inside = 0;
      }
    }
    const IoResult result = write_record(record.data(), size);
    if (result.status == IoResult::Status::again) pinned_.assign(record.data(), size);
    if (result.status == IoResult::Status::again) return {IoResult::Status::again, total + size};
    if (result.status != IoResult::Status::ok) return {result.status, total};
    total += size;
  }
  return {IoResult::Status::ok, total};
}

void TlsStream::shutdown() {
  ERR_clear_error();
  if (pinned_.empty() && SSL_is_init_finished(ssl_) == 1) SSL_shutdown(ssl_);
}

}  // namespace peal::gateway
