// The gateway's sockets and epoll set, over the simulated network.
#include <algorithm>
#include <cstring>

#include "io/loop.hpp"
#include "io/transport.hpp"
#include "sockets.hpp"

namespace peal::simulation {

int Sockets::open(LineEnd end) {
  open_[next_] = std::move(end);
  return next_++;
}

void Sockets::close(int descriptor) {
  const auto found = open_.find(descriptor);
  if (found == open_.end()) return;
  found->second.line->close(found->second.end);
  open_.erase(found);
  forget_watch(descriptor);
}

Machine* Sockets::machine(const std::string& endpoint) const {
  const std::size_t begin = endpoint.find("//");
  const std::size_t from = begin == std::string::npos ? 0 : begin + 2;
  const auto found = machines_.find(endpoint.substr(from, endpoint.rfind(':') - from));
  return found == machines_.end() ? nullptr : found->second;
}

}  // namespace peal::simulation

namespace peal::gateway {

using simulation::LineEnd;
using simulation::Sockets;
using simulation::Strand;
using Status = IoResult::Status;

void TlsStreamDeleter::operator()(TlsStream*) const {}
TlsStreamPtr make_tls_stream(TlsContext&, int) {
  return {};
}
IoResult Transport::handshake() const {
  return {};
}

IoResult Transport::read(char* data, std::size_t size) const {
  const LineEnd at = Sockets::current().at(fd);
  if (!at || at.line->reset(at.end)) return {Status::failed, 0};
  const std::string bytes = at.line->take_bytes(at.end, size);
  if (bytes.empty()) return {at.line->ended(at.end) ? Status::closed : Status::again, 0};
  std::memcpy(data, bytes.data(), bytes.size());
  return {Status::ok, bytes.size()};
}

IoResult Transport::write(std::span<const iovec> pieces) const {
  const LineEnd at = Sockets::current().at(fd);
  if (!at || !at.line->sendable(at.end)) return {Status::failed, 0};
  std::string bytes;
  std::size_t room = at.line->room(at.end);
  for (const iovec& piece : pieces) {
    const std::size_t some = std::min(piece.iov_len, room);
    bytes.append(static_cast<const char*>(piece.iov_base), some);
    room -= some;
  }
  if (bytes.empty()) return {pieces.empty() ? Status::ok : Status::again, 0};
  const std::size_t size = bytes.size();
  at.line->send(at.end, {{}, std::move(bytes)});
  return {Status::ok, size};
}

bool Transport::pinned() const {
  return false;
}
bool Transport::has_pending() const {
  return false;
}
bool Transport::read_wants_write() const {
  return false;
}
void Transport::give_up_after(std::chrono::milliseconds) const {}

void Transport::shutdown() const {
  if (const LineEnd at = Sockets::current().at(fd)) at.line->finish(at.end);
}

void Transport::close() const {
  Sockets::current().close(fd);
}

// `epoll_` is the number under which the strand is woken and its watches are kept.
Loop::Loop() : epoll_(Sockets::current().add_waker(Strand::current())) {}

Loop::~Loop() {
  Sockets::current().remove_waker(epoll_);
  Sockets::current().remove_watches(epoll_);
}

bool Loop::add(int fd, Watched watched, std::uint32_t events) {
  Sockets& sockets = Sockets::current();
  sockets.watches(epoll_)[fd] = {watched, events};
  const LineEnd at = sockets.at(fd);
  if (!at) return false;
  at.line->on_change(at.end, [waker = epoll_] { Sockets::current().wake(waker); });
  return true;
}

void Loop::modify(int fd, Watched watched, std::uint32_t events) {
  Sockets& sockets = Sockets::current();
  sockets.watches(epoll_)[fd] = {watched, events};
  sockets.wake(epoll_);  // level-triggered: what is there already counts
}

void Loop::remove(int fd) {
  Sockets::current().watches(epoll_).erase(fd);
}

std::span<const LoopEvent> Loop::wait(std::chrono::microseconds) {
  Sockets& sockets = Sockets::current();
  std::size_t used = 0;
  for (const auto& [fd, watch] : sockets.watches(epoll_)) {
    if (used == kEventsPerTurn) break;
    const LineEnd at = sockets.at(fd);
    if (!at) continue;
    std::uint32_t events = 0;
    if (at.line->reset(at.end)) events |= EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLRDHUP;
    if (at.line->readable(at.end)) events |= EPOLLIN;
    if (at.line->ended(at.end)) events |= EPOLLIN | EPOLLRDHUP;
    if (at.line->room(at.end) > 0) events |= EPOLLOUT;
    events &= watch.events | EPOLLERR | EPOLLHUP;
    if (events != 0) events_[used++] = {watch.watched, events};
  }
  return {events_.data(), used};
}

void Loop::wake() noexcept {
  Sockets::current().wake(epoll_);
}

}  // namespace peal::gateway
