#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "peal/runtime/curve.hpp"

// ZAP (RFC 27). Request: version, request id, domain, address, routing id, mechanism, credentials.
// Reply: version, request id, status code, status text, user id, metadata.

namespace peal::runtime {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";
constexpr std::size_t kRequestFrames = 7;
constexpr std::size_t kKeySize = 32;
constexpr std::chrono::seconds kLogPause{1};

using Key = std::array<unsigned char, kKeySize>;
using Frames = std::vector<std::string>;

class ZapProbe final : public Probe {
 public:
  void admitted() { admitted_.add(); }
  void refused() { refused_.add(); }
  void collect(MetricSink& sink) const override {
    sink.counter("peal_curve_admitted_total", "CURVE clients whose key is on the allow-list",
                 admitted_);
    sink.counter("peal_curve_refused_total", "CURVE clients refused by the allow-list", refused_);
  }

 private:
  Counter admitted_;
  Counter refused_;
};

Frames receive(void* socket) {
  Frames frames;
  int more = 1;
  while (more != 0) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, socket, 0) < 0) {
      zmq_msg_close(&message);
      return {};
    }
    frames.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    more = zmq_msg_more(&message);
    zmq_msg_close(&message);
  }
  return frames;
}

void send(void* socket, const Frames& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    zmq_send(socket, frames[i].data(), frames[i].size(), i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
  }
}

std::string z85(const std::string& key) {
  std::array<char, 41> text{};
  if (key.size() != kKeySize) return "none";
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
  return text.data();
}

}  // namespace

struct ZapAllowList::Impl {
  Impl(void* in, Logger say, ProbeRegistry& registry)
      : context(in), logger(std::move(say)), probe_handle(registry.add(probe)) {}

  bool allowed(const Frames& request) const {
    if (request[5] != "CURVE" || request[6].size() != kKeySize) return false;
    return std::ranges::any_of(keys, [&](const Key& key) {
      return std::memcmp(key.data(), request[6].data(), kKeySize) == 0;
    });
  }

  void answer(const Frames& request) {
    if (request.size() < kRequestFrames) {
      // A REP socket owes an answer to whatever came.
      return send(socket,
                  {"1.0", request.size() > 1 ? request[1] : "", "400", "Bad request", "", ""});
    }
    const bool welcome = allowed(request);
    if (welcome) {
      probe.admitted();
    } else {
      refused(request);
    }
    send(socket, {"1.0", request[1], welcome ? "200" : "400",
                  welcome ? "OK" : "Not on the allow-list", welcome ? z85(request[6]) : "", ""});
  }

  void refused(const Frames& request) {
    probe.refused();
    const auto now = std::chrono::steady_clock::now();
    if (now < quiet_until) return;
    quiet_until = now + kLogPause;
    logger.warn("refused a peer whose key is not in curve.allowed_keys",
                {{"address", request[3]}, {"mechanism", request[5]}, {"key", z85(request[6])}});
  }

  void run() {
    std::array<zmq_pollitem_t, 2> items{
        {{socket, 0, ZMQ_POLLIN, 0}, {nullptr, wake, ZMQ_POLLIN, 0}}};
    for (;;) {
      if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0 && zmq_errno() == ETERM)
        break;
      if ((items[1].revents & ZMQ_POLLIN) != 0) break;
      if ((items[0].revents & ZMQ_POLLIN) == 0) continue;
      const Frames request = receive(socket);
      if (!request.empty()) answer(request);
    }
    zmq_close(socket);
  }

  void* context;
  Logger logger;
  ZapProbe probe;
  std::shared_ptr<void> probe_handle;
  std::vector<Key> keys;
  void* socket = nullptr;
  int wake = -1;
  std::chrono::steady_clock::time_point quiet_until;
  std::thread thread;
};

ZapAllowList::ZapAllowList(void* context, const std::vector<std::string>& allowed_keys,
                           Logger logger, ProbeRegistry& probes)
    : impl_(std::make_unique<Impl>(context, std::move(logger), probes)) {
  for (const std::string& text : allowed_keys) {
    Key key{};
    if (valid_curve_key(text) && zmq_z85_decode(key.data(), text.c_str()))
      impl_->keys.push_back(key);
  }
}

ZapAllowList::~ZapAllowList() {
  if (impl_->thread.joinable()) {
    eventfd_write(impl_->wake, 1);
    impl_->thread.join();
  }
  if (impl_->wake >= 0) close(impl_->wake);
}

Result<void> ZapAllowList::start() {
  Impl& self = *impl_;
  const auto failed = [&](const char* what) {
    const std::string reason = zmq_strerror(zmq_errno());
    if (self.socket) zmq_close(self.socket);
    self.socket = nullptr;
    return fail(ErrorCode::internal_error, std::string(what) + ": " + reason);
  };
  self.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  self.socket = zmq_socket(self.context, ZMQ_REP);
  if (self.wake < 0 || !self.socket) return failed("the CURVE allow-list cannot start");
  const int no_linger = 0;
  zmq_setsockopt(self.socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
  if (zmq_bind(self.socket, kEndpoint) != 0) return failed("the CURVE allow-list cannot bind");
  self.thread = std::thread([&self] { self.run(); });
  return {};
}

}  // namespace peal::runtime
