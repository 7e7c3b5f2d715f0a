#include "http_clients.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace peal::swarm {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

/// The value of a header of a head in lower case, or empty.
std::string_view header(std::string_view head, std::string_view name) {
  const auto at = head.find("\r\n" + std::string(name) + ":");
  if (at == std::string_view::npos) {
    return {};
  }
  std::string_view value = head.substr(at + name.size() + 3);
  value = value.substr(0, value.find("\r\n"));
  while (value.starts_with(' ')) {
    value.remove_prefix(1);
  }
  return value;
}

}  // namespace

HttpClients::HttpClients(HttpEvents& events)
    : events_(events), epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {}

HttpClients::~HttpClients() {
  for (const Request& request : requests_) {
    if (request.fd >= 0) {
      ::close(request.fd);
    }
  }
  ::close(epoll_);
}

Result<RequestId> HttpClients::start(const bench::Target& target, std::string text) {
  const int fd = ::socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(ErrorCode::overloaded, std::string("no socket: ") + std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&target.address), target.address_size) != 0 &&
      errno != EINPROGRESS) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    return fail(ErrorCode::not_found, why);
  }
  const auto id = static_cast<RequestId>(requests_.size());
  Request& request = requests_.emplace_back();
  request.fd = fd;
  request.out = std::move(text);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u32 = id;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  return id;
}

void HttpClients::drop(RequestId id) {
  Request& request = requests_[id];
  if (request.fd < 0) {
    return;
  }
  ::close(request.fd);
  request = Request();
}

void HttpClients::turn() {
  epoll_event events[256];
  const int count = ::epoll_wait(epoll_, events, 256, 0);
  for (int i = 0; i < count; ++i) {
    const RequestId id = events[i].data.u32;
    Request& request = requests_[id];
    if (request.fd < 0) {
      continue;
    }
    if (!request.out.empty() && (events[i].events & EPOLLOUT) != 0) {
      const auto sent =
          ::send(request.fd, request.out.data(), request.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        request.out.erase(0, static_cast<std::size_t>(sent));
      }
      if (request.out.empty()) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u32 = id;
        ::epoll_ctl(epoll_, EPOLL_CTL_MOD, request.fd, &event);
      }
    }
    if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
      receive(id);
    }
  }
}

void HttpClients::receive(RequestId id) {
  const auto got = ::recv(requests_[id].fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got > 0) {
    return take(id, {buffer_.data(), static_cast<std::size_t>(got)});
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  end(id, got == 0 && requests_[id].body == Body::until_end);
}

void HttpClients::take(RequestId id, std::string_view bytes) {
  const auto open = [&] { return requests_[id].fd >= 0; };
  if (requests_[id].body == Body::head) {
    Request& request = requests_[id];
    request.in.append(bytes);
    bytes = {};
    if (!take_head(id, request) || !open()) {
      return;
    }
  }
  std::string rest;
  if (bytes.empty()) {
    rest = std::exchange(requests_[id].in, {});
    bytes = rest;
  }
  while (open() && !bytes.empty()) {
    Request& request = requests_[id];
    if (request.body == Body::chunked && request.left == 0) {
      bytes = take_chunk_header(request, bytes);
      if (request.body == Body::done) {
        break;
      }
      continue;
    }
    std::size_t piece = bytes.size();
    if (request.body != Body::until_end) {
      piece = static_cast<std::size_t>(std::min<std::uint64_t>(piece, request.left));
      request.left -= piece;
    }
    const bool last = request.body == Body::counted && request.left == 0;
    events_.on_body(id, bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    if (last && open()) {
      return end(id, true);
    }
  }
  if (open() && requests_[id].body == Body::done) {
    end(id, true);
  }
}

bool HttpClients::take_head(RequestId id, Request& request) {
  const auto size = request.in.find("\r\n\r\n");
  if (size == std::string::npos) {
    return false;
  }
  const std::string head = lower(std::string_view(request.in).substr(0, size + 2));
  request.in.erase(0, size + 4);
  int status = 0;
  std::from_chars(head.data() + std::min<std::size_t>(9, head.size()), head.data() + head.size(),
                  status);
  const std::string_view length = header(head, "content-length");
  if (header(head, "transfer-encoding") == "chunked") {
    request.body = Body::chunked;
  } else if (!length.empty()) {
    request.body = Body::counted;
    std::from_chars(length.data(), length.data() + length.size(), request.left);
  } else {
    request.body = Body::until_end;
  }
  const bool empty = request.body == Body::counted && request.left == 0;
  events_.on_status(id, status);
  if (empty && requests_[id].fd >= 0) {
    end(id, true);
  }
  return true;
}

/// A chunk is preceded by its size in hex and followed by an empty line.
std::string_view HttpClients::take_chunk_header(Request& request, std::string_view bytes) {
  while (!bytes.empty()) {
    request.in += bytes.front();
    bytes.remove_prefix(1);
    if (!request.in.ends_with('\n') || request.in == "\r\n") {
      if (request.in == "\r\n") {
        request.in.clear();
      }
      continue;
    }
    std::from_chars(request.in.data(), request.in.data() + request.in.size(), request.left, 16);
    request.in.clear();
    if (request.left == 0) {
      request.body = Body::done;
    }
    break;
  }
  return bytes;
}

void HttpClients::end(RequestId id, bool whole) {
  drop(id);
  events_.on_end(id, whole);
}

}  // namespace peal::swarm
