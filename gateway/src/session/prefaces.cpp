// Connections whose proxy says first whose they are.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "io/proxy_preface.hpp"
#include "session/connections.hpp"

namespace peal::gateway {

// What has come is looked at and only what belongs to the preface is taken: TLS reads the socket
// itself. What can't be told yet is taken too, or the loop would be told of it again and again.
void Connections::read_preface(Connection& connection) {
  std::array<char, 4096> peeked;
  const ssize_t n = ::recv(connection.fd, peeked.data(), peeked.size(), MSG_PEEK);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return destroy(connection);
  std::string bytes;
  if (connection.cold) bytes = connection.cold->input;
  const std::size_t held = bytes.size();
  bytes.append(peeked.data(), static_cast<std::size_t>(n));
  const ProxyPreface preface = read_proxy_preface(bytes, limits_.header_bytes_max);
  const bool trusted = clients_.trusted(connection.index);
  using Status = ProxyPreface::Status;
  if (preface.status == Status::absent && !trusted)
    return held > 0 && tls_ != nullptr ? destroy(connection) : begin(connection);
  if (preface.status == Status::absent || preface.status == Status::wrong ||
      (preface.status == Status::whole && !trusted)) {
    probe_.forwarded_ignored(trusted ? ForwardedIgnored::broken : ForwardedIgnored::untrusted);
    return destroy(connection);
  }
  if (::recv(connection.fd, peeked.data(), preface.length - held, 0) < 0)
    return destroy(connection);
  if (preface.status == Status::more) {
    connection.cold_part().input = std::move(bytes);
    return;
  }
  connection.cold.reset();
  if (preface.client) clients_.told(connection.index, *preface.client);
  begin(connection);
}

}  // namespace peal::gateway
