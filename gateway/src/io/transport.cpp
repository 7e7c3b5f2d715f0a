#include "io/transport.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/tls_stream.hpp"

namespace peal::gateway {
namespace {

IoResult from_errno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    return {IoResult::Status::again, 0};
  return {IoResult::Status::failed, 0};
}

}  // namespace

void TlsStreamDeleter::operator()(TlsStream* stream) const {
  delete stream;
}

TlsStreamPtr make_tls_stream(TlsContext& context, int fd) {
  return TlsStreamPtr(new TlsStream(context, fd));
}

IoResult Transport::handshake() const {
  return tls == nullptr ? IoResult{} : tls->handshake();
}

IoResult Transport::read(char* data, std::size_t size) const {
  if (tls != nullptr) return tls->read(data, size);
  const ssize_t n = ::recv(fd, data, size, 0);
  if (n > 0) return {IoResult::Status::ok, static_cast<std::size_t>(n)};
  return n == 0 ? IoResult{IoResult::Status::closed, 0} : from_errno();
}

IoResult Transport::write(std::span<const iovec> pieces) const {
  if (tls != nullptr) return tls->write(pieces);
  if (pieces.empty()) return {};
  ssize_t n = 0;
  if (pieces.size() == 1) {
    n = ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  }
  return n >= 0 ? IoResult{IoResult::Status::ok, static_cast<std::size_t>(n)} : from_errno();
}

bool Transport::pinned() const {
  return tls != nullptr && tls->pinned();
}
bool Transport::has_pending() const {
  return tls != nullptr && tls->has_pending();
}
bool Transport::read_wants_write() const {
  return tls != nullptr && tls->read_wants_write();
}

void Transport::give_up_after(std::chrono::milliseconds unacknowledged) const {
  const auto timeout = static_cast<unsigned>(unacknowledged.count());
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

void Transport::shutdown() const {
  if (tls != nullptr) tls->shutdown();
  ::shutdown(fd, SHUT_WR);
}

void Transport::close() const {
  ::close(fd);
}

}  // namespace peal::gateway
