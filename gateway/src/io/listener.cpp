#include "io/listener.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "io/net_address.hpp"

namespace peal::gateway {
namespace {

// What the kernel may hold of one connection, doubled by it for its own bookkeeping; and of that,
// how much may wait unsent, so that a slow client's backlog is ours to see.
constexpr int kSendBufferBytes = 256 * 1024;
constexpr int kNotSentBytes = 128 * 1024;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<Address> parse(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos)
    return fail(ErrorCode::config_invalid, "listen: '" + listen + "' is not HOST:PORT");
  std::string host = listen.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string port = listen.substr(colon + 1);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (host == "localhost" ? 0 : AI_NUMERICHOST);
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (error != 0 || found == nullptr)
    return fail(ErrorCode::config_invalid,
                "listen: '" + listen + "' is not an address: " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  return address;
}

Error cannot(const std::string& listen, const char* what, int error) {
  std::string reason = std::strerror(error);
  if (error == EADDRINUSE) reason = "the port is in use by another process";
  return fail(ErrorCode::config_invalid,
              "listen: can't " + std::string(what) + " " + listen + ": " + reason);
}

int stream_socket(const Address& address) {
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  return fd;
}

std::optional<Error> probe(const Address& address, const std::string& listen) {
  const Fd fd(stream_socket(address));
  if (!fd.valid()) return cannot(listen, "open a socket for", errno);
  if (::bind(fd.get(), address.raw(), address.size) != 0) return cannot(listen, "bind", errno);
  // Only listening tells of another listener that has bound with SO_REUSEADDR too.
  if (::listen(fd.get(), 1) != 0) return cannot(listen, "listen on", errno);
  return std::nullopt;
}

Result<Fd> take_lock(const std::string& address) {
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return cannot(address, "open a socket for", errno);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "peal:listen:" + address;
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
    return cannot(address, "lock", errno);
  return fd;
}

Result<Fd> open_listener(const Address& address, const std::string& listen) {
  Fd fd(stream_socket(address));
  if (!fd.valid()) return cannot(listen, "open a socket for", errno);
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentBytes, sizeof kNotSentBytes);
  if (::bind(fd.get(), address.raw(), address.size) != 0) return cannot(listen, "bind", errno);
  if (::listen(fd.get(), SOMAXCONN) != 0) return cannot(listen, "listen on", errno);
  return fd;
}

}  // namespace

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<ListenerSet> open_listeners(const std::string& listen, std::size_t count) {
  Result<Address> parsed = parse(listen);
  if (!parsed) return parsed.error();
  Address address = *parsed;
  if (auto error = probe(address, listen)) return *error;
  ListenerSet set;
  for (std::size_t i = 0; i < count; ++i) {
    Result<Fd> socket = open_listener(address, listen);
    if (!socket) return socket.error();
    set.sockets.push_back(std::move(*socket));
    if (i > 0) continue;
    address.size = sizeof address.storage;
    ::getsockname(set.sockets[0].get(), address.raw(), &address.size);
    set.address = NetAddress::of(address.storage).value().text();
    Result<Fd> lock = take_lock(set.address);
    if (!lock) return lock.error();
    set.lock = std::move(*lock);
  }
  return set;
}

}  // namespace peal::gateway
