#include "load/swarm.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace peal::bench {
namespace {

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
      throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    if (n < 0) {
      pollfd one{fd, POLLOUT, 0};
      ::poll(&one, 1, 1000);
      continue;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// The answers are short: they come in one piece.
void receive_one(int fd, SSL* ssl, std::string_view expected) {
  char buffer[2048];
  const ssize_t n =
      ssl != nullptr ? SSL_read(ssl, buffer, sizeof buffer) : ::recv(fd, buffer, sizeof buffer, 0);
  const std::string_view got(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  if (got.find(expected) == std::string_view::npos)
    throw std::runtime_error("unexpected answer: " + std::string(got));
}

}  // namespace

std::string client_frame(std::string_view text) {
  std::string frame = "\x81";
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size() & 0xff);
  }
  const char mask[4] = {0x21, 0x43, 0x65, 0x17};
  frame.append(mask, 4);
  for (std::size_t i = 0; i < text.size(); ++i)
    frame += static_cast<char>(text[i] ^ mask[i % 4]);
  return frame;
}

std::string post(std::uint16_t port, const std::string& target, std::string_view body) {
  const int fd = connect_to(port);
  send_all(fd, "POST " + target +
                   " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                   "Connection: close\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  std::string answer;
  char buffer[2048];
  for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  return answer;
}

Swarm::Swarm(std::uint16_t port, bool tls)
    : port_(port), tls_(tls), epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {
  if (tls) tls_context_ = SSL_CTX_new(TLS_client_method());
}

Swarm::~Swarm() {
  for (void* session : tls_sessions_)
    SSL_free(static_cast<SSL*>(session));
  SSL_CTX_free(static_cast<SSL_CTX*>(tls_context_));
  for (const int fd : fds_)
    ::close(fd);
  ::close(epoll_);
}

void Swarm::open(std::size_t count, const std::function<std::string(std::size_t)>& channel_of) {
  constexpr std::size_t kAtOnce = 128;
  for (std::size_t from = 0; from < count; from += kAtOnce) {
    const std::size_t first = fds_.size();
    const std::size_t batch = std::min(kAtOnce, count - from);
    const auto ssl = [&](std::size_t i) {
      return tls_ ? static_cast<SSL*>(tls_sessions_[i]) : nullptr;
    };
    const auto send = [&](std::size_t i, std::string_view bytes) {
      if (tls_)
        SSL_write(ssl(i), bytes.data(), static_cast<int>(bytes.size()));
      else
        send_all(fds_[i], bytes);
    };
    for (std::size_t i = 0; i < batch; ++i) {
      fds_.push_back(connect_to(port_));
      if (tls_) {
        SSL* session = SSL_new(static_cast<SSL_CTX*>(tls_context_));
        SSL_set_fd(session, fds_.back());
        tls_sessions_.push_back(session);
        if (SSL_connect(session) != 1) throw std::runtime_error("TLS handshake failed");
      }
      send(fds_.size() - 1, kUpgrade);
    }
    for (std::size_t i = first; i < fds_.size(); ++i) {
      receive_one(fds_[i], ssl(i), " 101 ");
      const std::string channel = channel_of(i);
      if (!channel.empty())
        send(i, client_frame(R"({"id":1,"action":"subscribe","payload":{"channel":")" + channel +
                             R"("}})"));
    }
    for (std::size_t i = first; i < fds_.size(); ++i) {
      if (!channel_of(i).empty()) receive_one(fds_[i], ssl(i), "\"result\"");
      ::fcntl(fds_[i], F_SETFL, O_NONBLOCK);
      watch(i);
    }
  }
  bytes_of_.resize(fds_.size());
}

void Swarm::open_streams(std::size_t count, std::string_view query, std::size_t channels) {
  constexpr std::string_view kSubscribed = R"("event":"subscribed")";
  const std::string request = "GET /stream?" + std::string(query) +
                              " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n";
  for (std::size_t i = 0; i < count; ++i) {
    fds_.push_back(connect_to(port_));
    send_all(fds_.back(), request);
    std::string got;
    std::size_t seen = 0, at = 0;
    while (seen < channels || !got.ends_with("\n\n")) {
      const ssize_t n = ::recv(fds_.back(), buffer_.data(), buffer_.size(), 0);
      if (n <= 0) throw std::runtime_error("the stream ended: " + got);
      got.append(buffer_.data(), static_cast<std::size_t>(n));
      for (; (at = got.find(kSubscribed, at)) != std::string::npos; ++at)
        ++seen;
      at = got.size() - std::min(got.size(), kSubscribed.size() - 1);
    }
    ::fcntl(fds_.back(), F_SETFL, O_NONBLOCK);
    watch(fds_.size() - 1);
  }
  bytes_of_.resize(fds_.size());
}

void Swarm::send(std::size_t i, std::string_view bytes) {
  send_all(fds_[i], bytes);
}

void Swarm::watch(std::size_t i) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fds_[i], &event);
}

void Swarm::stop_reading(std::size_t i) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fds_[i], nullptr);
}

std::size_t Swarm::read(std::chrono::milliseconds wait) {
  std::array<epoll_event, 512> events;
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(wait.count()));
  std::size_t all = 0;
  for (int e = 0; e < count; ++e) {
    const std::size_t i = events[static_cast<std::size_t>(e)].data.u64;
    const ssize_t n = ::recv(fds_[i], buffer_.data(), buffer_.size(), 0);
    if (n <= 0) {
      if (n < 0 && errno == EAGAIN) continue;
      ++ended_;
      stop_reading(i);
      continue;
    }
    all += static_cast<std::size_t>(n);
    bytes_of_[i] += static_cast<std::uint64_t>(n);
    if (on_read) on_read(i, bytes_of_[i]);
  }
  bytes_ += all;
  return all;
}

bool Swarm::read_until(std::uint64_t total) {
  auto last = std::chrono::steady_clock::now();
  while (bytes_ < total) {
    if (read(std::chrono::milliseconds(100)) > 0)
      last = std::chrono::steady_clock::now();
    else if (std::chrono::steady_clock::now() - last > std::chrono::seconds(60))
      return false;  // nothing comes any more
  }
  return true;
}

Publisher::Publisher(std::uint16_t port) : fd_(connect_to(port)) {
  send_all(fd_, kUpgrade);
  receive_one(fd_, nullptr, " 101 ");
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
}

Publisher::~Publisher() {
  if (fd_ >= 0) ::close(fd_);
}

void Publisher::send(std::string_view frames) {
  send_all(fd_, frames);
}

std::size_t Publisher::send_some(std::string_view frames) {
  const ssize_t n = ::send(fd_, frames.data(), frames.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN)
    throw std::runtime_error(std::string("publish: ") + std::strerror(errno));
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

}  // namespace peal::bench
