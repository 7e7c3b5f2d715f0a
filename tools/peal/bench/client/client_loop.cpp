#include "bench/client/client_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/client/frame.hpp"
#include "bench/client/stamp.hpp"
#include "bench/client/tls_client.hpp"

namespace peal::bench {
namespace {

constexpr std::size_t kBufferSize = 256 * 1024;
constexpr int kEventsMax = 512;
constexpr std::uint32_t kMask = 0x5A3C96E1;  // any key masks as well as another
constexpr ClientId kWakeId = ~ClientId{0};

/// A loop is made for more connections than a shell usually allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

void bind_loopback(int fd, unsigned source) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

Result<Target> make_target(const std::string& host, const std::string& port,
                           const std::string& authority, const std::string& path, bool tls) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return fail(ErrorCode::not_found, "no address for " + host + ": " + ::gai_strerror(failed));
  }
  Target target;
  std::memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.address_size = found->ai_addrlen;
  ::freeaddrinfo(found);
  target.request = upgrade_request(authority, path, {});
  target.tls = tls;
  return target;
}

ClientLoop::ClientLoop(ClientEvents& events)
    : events_(events), epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(kBufferSize) {
  raise_descriptor_limit();
}

ClientLoop::~ClientLoop() {
  for (Client& client : clients_) {
    if (client.fd >= 0) {
      ::close(client.fd);
    }
  }
  ::close(epoll_);
}

Result<ClientId> ClientLoop::connect(const Target& target, unsigned source) {
  const int fd = ::socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return fail(ErrorCode::overloaded, std::string("no socket: ") + std::strerror(errno));
  }
  if (source > 0 && target.address.ss_family == AF_INET) {
    bind_loopback(fd, source);
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&target.address), target.address_size) != 0 &&
      errno != EINPROGRESS) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    return fail(ErrorCode::not_found, why);
  }
  const auto id = static_cast<ClientId>(clients_.size());
  Client& client = clients_.emplace_back();
  client.fd = fd;
  client.target = &target;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u32 = id;
  client.wants_write = true;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  ++alive_;
  return id;
}

ClientLoop::Client* ClientLoop::find(ClientId id) {
  return id < clients_.size() && clients_[id].state != State::closed ? &clients_[id] : nullptr;
}

bool ClientLoop::is_open(ClientId id) const {
  return id < clients_.size() && clients_[id].state == State::open;
}

std::size_t ClientLoop::queued_bytes(ClientId id) const {
  return id < clients_.size() ? clients_[id].out.size() - clients_[id].written : 0;
}

void ClientLoop::send(ClientId id, std::string_view text) {
  Client* client = find(id);
  if (client != nullptr && client->state == State::open) {
    append_frame(client->out, Opcode::text, text, kMask);
    mark_dirty(id, *client);
  }
}

void ClientLoop::close(ClientId id) {
  Client* client = find(id);
  if (client == nullptr) {
    return;
  }
  if (client->state != State::open) {
    drop(id);
    return;
  }
  append_frame(client->out, Opcode::close, std::string_view("\x03\xE8", 2), kMask);
  client->state = State::closing;
  mark_dirty(id, *client);
}

void ClientLoop::drop(ClientId id) {
  end(id, 0, {}, false);
}

void ClientLoop::turn(std::chrono::nanoseconds wait, int wake_fd) {
  // A send may close, and closing may be told to someone who sends: so by index.
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    flush(dirty_[i]);
  }
  dirty_.clear();
  if (wake_fd != watched_fd_ && wake_fd >= 0) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u32 = kWakeId;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd, &event);
    watched_fd_ = wake_fd;
  }
  const auto ns = std::max<std::int64_t>(wait.count(), 0);
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  epoll_event ready[kEventsMax];
  const std::uint64_t before = steady_ns();
  const int count = ::epoll_pwait2(epoll_, ready, kEventsMax, &timeout, nullptr);
  waited_ns_ += steady_ns() - before;
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.u32 != kWakeId) {
      on_event(ready[i].data.u32, ready[i].events);
    }
  }
}

void ClientLoop::on_event(ClientId id, std::uint32_t events) {
  Client* client = find(id);
  if (client == nullptr) {
    return;
  }
  if (client->state == State::connecting) {
    on_connected(id, *client);
    return;
  }
  if (client->state == State::handshaking) {
    shake_hands(id, *client);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    flush(id);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && client->state != State::closed) {
    receive(id, *client);
  }
}

void ClientLoop::on_connected(ClientId id, Client& client) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    end(id, 0, std::strerror(error), true);
    return;
  }
  if (client.target->tls) {
    client.tls = std::make_unique<TlsClient>(client.fd);
    client.state = State::handshaking;
    shake_hands(id, client);
  } else {
    start_upgrade(id, client);
  }
}

void ClientLoop::shake_hands(ClientId id, Client& client) {
  const auto step = client.tls->shake_hands();
  if (step == TlsClient::Step::failed) {
    end(id, 0, "the TLS handshake failed", true);
  } else if (step == TlsClient::Step::done) {
    start_upgrade(id, client);
  } else {
    watch(id, client, client.tls->wants_write());
  }
}

void ClientLoop::start_upgrade(ClientId id, Client& client) {
  client.state = State::upgrading;
  client.out = client.target->request;
  flush(id);
}

void ClientLoop::receive(ClientId id, Client& client) {
  for (;;) {
    const ssize_t n = client.tls ? client.tls->receive(buffer_.data(), buffer_.size())
                                 : ::recv(client.fd, buffer_.data(), buffer_.size(), 0);
    if (n > 0) {
      take(id, client, {buffer_.data(), static_cast<std::size_t>(n)});
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      end(id, 0, n == 0 ? "the connection ended without a Close" : std::strerror(errno), true);
    }
    // TLS may hold decrypted bytes that epoll knows nothing of; plain sockets report again.
    if (n <= 0 || !client.tls || client.state == State::closed) {
      return;
    }
  }
}

void ClientLoop::take(ClientId id, Client& client, std::string_view bytes) {
  std::string joined;
  if (!client.in.empty()) {
    joined = std::move(client.in);
    joined += bytes;
    client.in.clear();
    bytes = joined;
  }
  if (client.state == State::upgrading) {
    bytes.remove_prefix(take_upgrade(id, client, bytes));
  }
  if (client.state == State::open || client.state == State::closing) {
    bytes.remove_prefix(take_frames(id, client, bytes));
  }
  if (client.state != State::closed) {
    client.in.assign(bytes);
    if (client.in.empty() && client.in.capacity() > 4096) {
      std::string().swap(client.in);
    }
  }
}

std::size_t ClientLoop::take_upgrade(ClientId id, Client& client, std::string_view bytes) {
  const UpgradeAnswer answer = read_upgrade_answer(bytes);
  if (answer.size == 0) {
    return 0;
  }
  if (!answer.accepted) {
    end(id, 0, "no upgrade: HTTP " + std::to_string(answer.status), true);
    return 0;
  }
  client.state = State::open;
  events_.on_open(id);
  return answer.size;
}

std::size_t ClientLoop::take_frames(ClientId id, Client& client, std::string_view bytes) {
  std::size_t used = 0;
  Frame frame;
  while (client.state == State::open || client.state == State::closing) {
    const ReadFrame read = read_frame(bytes.substr(used), frame);
    if (read == ReadFrame::more) {
      break;
    }
    if (read == ReadFrame::broken) {
      end(id, 0, "a broken frame", true);
      break;
    }
    used += frame.size;
    if (static_cast<int>(frame.opcode) >= 8) {
      if (!take_control(id, client, static_cast<int>(frame.opcode), frame.payload)) {
        break;
      }
    } else if (frame.fin && !client.in_message) {
      events_.on_text(id, frame.payload);
    } else {
      client.message += frame.payload;
      client.in_message = !frame.fin;
      if (frame.fin) {
        const std::string whole = std::move(client.message);
        client.message.clear();
        events_.on_text(id, whole);
      }
    }
  }
  return used;
}

bool ClientLoop::take_control(ClientId id, Client& client, int opcode, std::string_view payload) {
  if (opcode == static_cast<int>(Opcode::ping)) {
    append_frame(client.out, Opcode::pong, payload, kMask);
    mark_dirty(id, client);
    return true;
  }
  if (opcode == static_cast<int>(Opcode::pong)) {
    return true;
  }
  int code = 1005;
  if (payload.size() >= 2) {
    code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
  }
  const std::string why(payload.substr(std::min<std::size_t>(2, payload.size())));
  if (client.state == State::open) {
    append_frame(client.out, Opcode::close, payload.substr(0, 2), kMask);
    flush(id);
  }
  end(id, code, why, true);
  return false;
}

void ClientLoop::mark_dirty(ClientId id, Client& client) {
  if (!client.dirty && !client.wants_write) {
    client.dirty = true;
    dirty_.push_back(id);
  }
}

void ClientLoop::flush(ClientId id) {
  Client* client = find(id);
  if (client == nullptr) {
    return;
  }
  client->dirty = false;
  while (client->written < client->out.size()) {
    const std::string_view rest = std::string_view(client->out).substr(client->written);
    const ssize_t n = client->tls ? client->tls->send(rest)
                                  : ::send(client->fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        end(id, 0, std::strerror(errno), true);
        return;
      }
      break;
    }
    client->written += static_cast<std::size_t>(n);
  }
  const bool rest = client->written < client->out.size();
  if (!rest) {
    client->out.clear();
    client->written = 0;
    if (client->out.capacity() > 4096) {
      std::string().swap(client->out);
    }
  }
  watch(id, *client, rest);
}

void ClientLoop::watch(ClientId id, Client& client, bool write) {
  if (client.wants_write == write) {
    return;
  }
  client.wants_write = write;
  epoll_event event{};
  event.events = EPOLLIN | (write ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
  event.data.u32 = id;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
}

void ClientLoop::end(ClientId id, int code, std::string_view why, bool tell) {
  Client* client = find(id);
  if (client == nullptr) {
    return;
  }
  client->state = State::closed;
  client->tls.reset();
  ::close(client->fd);
  client->fd = -1;
  --alive_;
  // `in` and `message` may be what the caller is reading: they stay until the loop ends, small as
  // they are.
  std::string().swap(client->out);
  client->written = 0;
  if (tell) {
    events_.on_closed(id, code, why);
  }
}

}  // namespace peal::bench
