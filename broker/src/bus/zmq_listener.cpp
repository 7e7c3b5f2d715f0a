#include "bus/zmq_listener.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <zmq.h>

#include <vector>

namespace peal::bus {

ZmqListener::ZmqListener(const Limits& limits, runtime::Logger logger,
                         runtime::ProbeRegistry& probes)
    : limits_(limits), logger_(std::move(logger)), probes_(probes) {}

ZmqListener::~ZmqListener() = default;

Result<void> ZmqListener::bind(const std::string& endpoint, runtime::CurveConfig curve,
                               bool insecure) {
  if (auto keys = runtime::complete(curve); !keys) return keys;
  if (auto safe = runtime::require_curve(endpoint, curve, insecure, "bus.listen"); !safe)
    return safe;
  if (curve.configured()) {
    allow_list_ = std::make_unique<runtime::ZapAllowList>(context_.handle(), curve.allowed_keys,
                                                          logger_, probes_);
    if (auto started = allow_list_->start(); !started) return started;
  }
  socket_ = std::make_unique<ZmqSocket>(context_, SocketKind::router, limits_);
  if (auto applied = runtime::apply_curve_server(socket_->handle(), curve); !applied)
    return applied;
  if (auto bound = socket_->bind(endpoint); !bound) return bound;
  // Whoever may write to the file is on the bus.
  constexpr std::string_view kIpc = "ipc://";
  if (endpoint.starts_with(kIpc)) ::chmod(endpoint.substr(kIpc.size()).c_str(), S_IRUSR | S_IWUSR);
  return {};
}

std::string ZmqListener::endpoint() const {
  return socket_->last_endpoint();
}

bool ZmqListener::receive() {
  while (socket_->receive(frames_)) {
    if (frames_.size() >= 1) return true;
  }
  return false;
}

MessageSink::Sent ZmqListener::send(std::string_view key, wire::Message& message) {
  switch (socket_->send(key, message.header, message.body)) {
    case ZmqSocket::Sent::ok:
      return MessageSink::Sent::ok;
    case ZmqSocket::Sent::full:
      return MessageSink::Sent::full;
    case ZmqSocket::Sent::gone:
      break;
  }
  return MessageSink::Sent::gone;
}

std::optional<std::string> ZmqListener::next_failure() {
  while (const auto event = socket_->next_event()) {
    if (event->what == SocketEvent::What::refused)
      return "a CURVE key that is not on the allow-list";
    if (event->what == SocketEvent::What::broken) {
      return "another CURVE server key, or not the bus protocol at all";
    }
  }
  return std::nullopt;
}

void ZmqListener::wait(std::chrono::milliseconds timeout, std::span<const int> others) {
  if (socket_->pending()) return;
  std::vector<pollfd> polled{{wake_.descriptor(), POLLIN, 0},
                             {socket_->descriptor(), POLLIN, 0},
                             {socket_->monitor_descriptor(), POLLIN, 0}};
  for (const int other : others)
    polled.push_back({other, POLLIN, 0});
  ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  if ((polled[0].revents & POLLIN) != 0) wake_.clear();
}

void ZmqListener::linger(std::chrono::milliseconds time) {
  const int value = static_cast<int>(time.count());
  zmq_setsockopt(socket_->handle(), ZMQ_LINGER, &value, sizeof value);
}

}  // namespace peal::bus
