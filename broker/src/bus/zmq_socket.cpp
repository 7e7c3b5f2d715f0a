#include "bus/zmq_socket.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "peal/bus/peer_link.hpp"

namespace peal::bus {
namespace {

void set(void* socket, int option, int value) {
  zmq_setsockopt(socket, option, &value, sizeof value);
}

/// Every limit of libzmq that concerns a bus socket, none left to its defaults.
void set_limits(void* socket, SocketKind kind, const Limits& limits) {
  // Our own credit stands above these: they are never reached by a peer that keeps to it.
  const int messages = static_cast<int>(2 * kLinkMessagesMax);
  set(socket, ZMQ_SNDHWM, messages);
  set(socket, ZMQ_RCVHWM, messages);
  const auto largest =
      static_cast<std::int64_t>(2 * limits.batch_bytes_max + limits.message_bytes_max + 64 * 1024);
  zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
  set(socket, ZMQ_LINGER, 0);
  set(socket, ZMQ_BACKLOG, 1024);
  set(socket, ZMQ_RECONNECT_IVL, 100);
  set(socket, ZMQ_RECONNECT_IVL_MAX, 1000);
  set(socket, ZMQ_CONNECT_TIMEOUT, 3000);
  set(socket, ZMQ_HANDSHAKE_IVL, 3000);
  // ZMTP's own heartbeats only free connections whose other end is gone; our heartbeats decide on
  // links.
  set(socket, ZMQ_HEARTBEAT_IVL, 5000);
  set(socket, ZMQ_HEARTBEAT_TIMEOUT, 15000);
  set(socket, ZMQ_HEARTBEAT_TTL, 20000);
  set(socket, ZMQ_TCP_KEEPALIVE, 1);
  set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
  set(socket, ZMQ_SNDTIMEO, 0);
  set(socket, ZMQ_RCVTIMEO, 0);
  if (kind == SocketKind::router) {
    set(socket, ZMQ_ROUTER_MANDATORY, 1);
    set(socket, ZMQ_ROUTER_HANDOVER, 0);
  } else {
    set(socket, ZMQ_IMMEDIATE, 1);
  }
}

int descriptor_of(void* socket) {
  int descriptor = -1;
  std::size_t size = sizeof descriptor;
  zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size);
  return descriptor;
}

Error zmq_error(const std::string& what) {
  return fail(ErrorCode::config_invalid, what + ": " + zmq_strerror(zmq_errno()));
}

/// With IPv6 on, even IPv4 addresses are told in its notation, so only where it is meant.
void allow_ipv6(void* socket, const std::string& endpoint) {
  set(socket, ZMQ_IPV6, endpoint.find('[') != std::string::npos ? 1 : 0);
}

/// A frame's bytes while libzmq has them. Its I/O thread lets go of them; `sent` says so in a way
/// that ThreadSanitizer sees too, since it can't see into libzmq's own hand-over.
struct SentPart {
  std::string bytes;
  std::atomic<bool> sent{false};
};

void release_part(void*, void* hint) {
  auto* const part = static_cast<SentPart*>(hint);
  [[maybe_unused]] const bool sent = part->sent.load(std::memory_order_acquire);
  delete part;
}

std::optional<SocketEvent::What> kind_of(std::uint16_t event) {
  using What = SocketEvent::What;
  switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      return What::connected;
    case ZMQ_EVENT_DISCONNECTED:
      return What::disconnected;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return What::refused;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
      return What::broken;
    case ZMQ_EVENT_CONNECT_RETRIED:
      return What::retried;
    default:
      return std::nullopt;
  }
}

}  // namespace

ZmqContext::ZmqContext() : context_(zmq_ctx_new()) {
  if (context_ == nullptr) throw std::runtime_error("no ZeroMQ context");
  zmq_ctx_set(context_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, 64);
  zmq_ctx_set(context_, ZMQ_BLOCKY, 0);
}
ZmqContext::~ZmqContext() {
  zmq_ctx_term(context_);
}

struct ZmqFrames::Storage {
  std::array<zmq_msg_t, kMax> frames;
};
ZmqFrames::ZmqFrames() : storage_(std::make_unique<Storage>()) {
  for (auto& frame : storage_->frames)
    zmq_msg_init(&frame);
}
ZmqFrames::~ZmqFrames() {
  for (auto& frame : storage_->frames)
    zmq_msg_close(&frame);
}
std::string_view ZmqFrames::at(std::size_t i) const {
  auto& frame = storage_->frames[i];
  return {static_cast<const char*>(zmq_msg_data(&frame)), zmq_msg_size(&frame)};
}

ZmqSocket::ZmqSocket(ZmqContext& context, SocketKind kind, const Limits& limits)
    : socket_(zmq_socket(context.handle(), kind == SocketKind::router ? ZMQ_ROUTER : ZMQ_DEALER)) {
  if (socket_ == nullptr)
    throw std::runtime_error(std::string("no ZeroMQ socket: ") + zmq_strerror(zmq_errno()));
  set_limits(socket_, kind, limits);
  descriptor_ = descriptor_of(socket_);
  static std::atomic<std::uint64_t> next{0};
  const std::string endpoint = "inproc://peal-bus-monitor-" + std::to_string(next++);
  zmq_socket_monitor(socket_, endpoint.c_str(), ZMQ_EVENT_ALL);
  monitor_ = zmq_socket(context.handle(), ZMQ_PAIR);
  if (monitor_ == nullptr) throw std::runtime_error("no ZeroMQ monitor");
  set(monitor_, ZMQ_LINGER, 0);
  set(monitor_, ZMQ_RCVHWM, 10'000);
  zmq_connect(monitor_, endpoint.c_str());
  monitor_descriptor_ = descriptor_of(monitor_);
}

ZmqSocket::~ZmqSocket() {
  zmq_socket_monitor(socket_, nullptr, 0);
  zmq_close(monitor_);
  zmq_close(socket_);
}

Result<void> ZmqSocket::bind(const std::string& endpoint) {
  allow_ipv6(socket_, endpoint);
  if (zmq_bind(socket_, endpoint.c_str()) != 0) return zmq_error("cannot listen on " + endpoint);
  return {};
}

Result<void> ZmqSocket::connect(const std::string& endpoint) {
  allow_ipv6(socket_, endpoint);
  if (zmq_connect(socket_, endpoint.c_str()) != 0)
    return zmq_error("cannot connect to " + endpoint);
  return {};
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, 1024> text{};
  std::size_t size = text.size();
  if (zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0 || size == 0) return {};
  return {text.data(), size - 1};
}

std::optional<SocketEvent> ZmqSocket::next_event() {
  for (;;) {
    zmq_msg_t number;
    zmq_msg_t address;
    zmq_msg_init(&number);
    if (zmq_msg_recv(&number, monitor_, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(&number);
      return std::nullopt;
    }
    zmq_msg_init(&address);
    zmq_msg_recv(&address, monitor_, ZMQ_DONTWAIT);
    std::uint16_t event = 0;
    std::int32_t value = 0;
    if (zmq_msg_size(&number) >= 6) {
      const auto* bytes = static_cast<const char*>(zmq_msg_data(&number));
      std::memcpy(&event, bytes, sizeof event);
      std::memcpy(&value, bytes + 2, sizeof value);
    }
    std::string where(static_cast<const char*>(zmq_msg_data(&address)), zmq_msg_size(&address));
    zmq_msg_close(&number);
    zmq_msg_close(&address);
    if (const auto what = kind_of(event)) return SocketEvent{*what, std::move(where), value};
  }
}

bool ZmqSocket::send_part(std::string& part, int flags) {
  auto* const kept = new SentPart{std::move(part)};
  zmq_msg_t message;
  char* const data = kept->bytes.data();
  const std::size_t size = kept->bytes.size();
  kept->sent.store(true, std::memory_order_release);  // the last touch of ours
  zmq_msg_init_data(&message, data, size, release_part, kept);
  if (zmq_msg_send(&message, socket_, flags | ZMQ_DONTWAIT) >= 0) return true;
  const int error = zmq_errno();
  part = kept->bytes;
  zmq_msg_close(&message);
  errno = error;
  return false;
}

ZmqSocket::Sent ZmqSocket::send(std::string_view id, std::string& header, std::string& body) {
  // Only the first frame can fail: a message is taken whole.
  if (!id.empty()) {
    if (zmq_send(socket_, id.data(), id.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
      return zmq_errno() == EAGAIN ? Sent::full : Sent::gone;
    }
    send_part(header, ZMQ_SNDMORE);
    send_part(body, 0);
    return Sent::ok;
  }
  if (!send_part(header, ZMQ_SNDMORE)) return zmq_errno() == EAGAIN ? Sent::full : Sent::gone;
  send_part(body, 0);
  return Sent::ok;
}

bool ZmqSocket::receive(ZmqFrames& frames) {
  frames.size_ = 0;
  zmq_msg_t surplus;
  for (;;) {
    const bool keep = frames.size_ < ZmqFrames::kMax;
    if (!keep) zmq_msg_init(&surplus);
    zmq_msg_t& frame = keep ? frames.storage_->frames[frames.size_] : surplus;
    if (zmq_msg_recv(&frame, socket_, ZMQ_DONTWAIT) < 0) {
      if (!keep) zmq_msg_close(&surplus);
      return false;
    }
    ++frames.size_;
    const bool more = zmq_msg_more(&frame) != 0;
    if (!keep) zmq_msg_close(&surplus);
    if (!more) return true;
  }
}

bool ZmqSocket::pending() const {
  const auto readable = [](void* socket) {
    int events = 0;
    std::size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
  };
  return readable(socket_) || readable(monitor_);
}

WakeDescriptor::WakeDescriptor() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw std::runtime_error("no eventfd");
}
WakeDescriptor::~WakeDescriptor() {
  close(descriptor_);
}
void WakeDescriptor::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(descriptor_, &one, sizeof one);
}
void WakeDescriptor::clear() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = read(descriptor_, &count, sizeof count);
}

}  // namespace peal::bus
