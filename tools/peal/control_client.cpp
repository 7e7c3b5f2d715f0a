#include "control_client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <zmq.hpp>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "json_text.hpp"
#include "signals.hpp"

namespace peal::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kHighWaterMark = 2000;  // messages; the callers' windows are smaller
constexpr std::int64_t kReplyBytesMax = 64 << 20;

milliseconds left(Clock::time_point deadline) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - Clock::now()));
}

/// A socket that knows whether it is linked, by its own monitor.
class Link {
 public:
  Link(int type, std::string endpoint, runtime::CurveConfig curve)
      : endpoint_(std::move(endpoint)), curve_(std::move(curve)), type_(type) {}

  ~Link() { close(milliseconds(0)); }

  zmq::socket_t& socket() { return socket_; }
  const std::string& endpoint() const { return endpoint_; }
  bool lost() const { return lost_; }

  Outcome<void> open(milliseconds timeout) {
    close(milliseconds(0));
    try {
      start();
    } catch (const std::exception& error) {
      close(milliseconds(0));
      return usage("cannot use '" + endpoint_ + "': " + error.what());
    }
    const auto deadline = Clock::now() + timeout;
    while (!linked_) {
      zmq::pollitem_t items[] = {{monitor_.handle(), 0, ZMQ_POLLIN, 0},
                                 {nullptr, interrupt_fd(), ZMQ_POLLIN, 0}};
      wait_on(items, interrupt_fd() >= 0 ? 2 : 1, left(deadline));
      read_monitor();
      if (!refusal_.empty() || interrupted() || (!linked_ && left(deadline).count() == 0)) {
        const std::string why = interrupted() ? "interrupted"
                                : refusal_.empty()
                                    ? "no answer within " + std::to_string(timeout.count()) + " ms"
                                    : refusal_;
        close(milliseconds(0));
        return unreachable("cannot reach " + endpoint_ + ": " + why);
      }
    }
    return {};
  }

  void close(milliseconds linger) {
    if (socket_) {
      socket_.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
      zmq_socket_monitor(socket_.handle(), nullptr, 0);
      socket_.close();
    }
    if (monitor_) {
      monitor_.close();
    }
    linked_ = false;
    lost_ = false;
    refusal_.clear();
  }

  /// Bytes that the kernel has and the other side has not read yet (unix sockets; 0 elsewhere).
  int unread_bytes() {
    read_monitor();
    int bytes = 0;
    const bool unix_socket = endpoint_.starts_with("ipc://");
    return linked_ && !lost_ && unix_socket && ::ioctl(fd_, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
  }

  /// Waits for the socket (`events`), `fd`, a signal or a change of the link.
  void poll(short events, int fd, milliseconds timeout) {
    zmq::pollitem_t items[4] = {{socket_.handle(), 0, events, 0},
                                {monitor_.handle(), 0, ZMQ_POLLIN, 0},
                                {nullptr, interrupt_fd(), ZMQ_POLLIN, 0},
                                {nullptr, fd, ZMQ_POLLIN, 0}};
    // Once interrupted, the descriptor stays readable: leave it out, or the wait would spin.
    std::size_t count = 2;
    if (interrupt_fd() >= 0 && !interrupted()) {
      ++count;
    } else {
      items[2] = items[3];
    }
    wait_on(items, fd >= 0 ? count + 1 : count, timeout);
    read_monitor();
  }

 private:
  static void wait_on(zmq::pollitem_t* items, std::size_t count, milliseconds timeout) {
    try {
      zmq::poll(items, count, timeout);
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) {
        throw;
      }
    }
  }

  void start() {
    static int serial = 0;
    socket_ = zmq::socket_t(context_, type_);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndhwm, kHighWaterMark);
    socket_.set(zmq::sockopt::rcvhwm, kHighWaterMark);
    socket_.set(zmq::sockopt::immediate, true);
    socket_.set(zmq::sockopt::maxmsgsize, kReplyBytesMax);
    socket_.set(zmq::sockopt::reconnect_ivl, 100);
    if (curve_.configured()) {
      if (auto applied = runtime::apply_curve_client(socket_.handle(), curve_); !applied) {
        throw std::runtime_error(applied.error().message);
      }
    }
    const std::string watch = "inproc://link-monitor-" + std::to_string(++serial);
    if (zmq_socket_monitor(socket_.handle(), watch.c_str(), ZMQ_EVENT_ALL) != 0) {
      throw zmq::error_t();
    }
    monitor_ = zmq::socket_t(context_, zmq::socket_type::pair);
    monitor_.set(zmq::sockopt::linger, 0);
    monitor_.connect(watch);
    socket_.connect(endpoint_);
  }

  void read_monitor() {
    zmq::message_t event;
    zmq::message_t address;
    while (monitor_.recv(event, zmq::recv_flags::dontwait)) {
      [[maybe_unused]] const auto got = monitor_.recv(address, zmq::recv_flags::none);
      std::uint16_t kind = 0;
      std::uint32_t value = 0;
      std::memcpy(&kind, event.data(), sizeof kind);
      std::memcpy(&value, static_cast<const char*>(event.data()) + sizeof kind, sizeof value);
      on_event(kind, static_cast<int>(value));
    }
  }

  void on_event(int kind, int value) {
    switch (kind) {
      case ZMQ_EVENT_CONNECTED:
        fd_ = value;
        break;
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        linked_ = true;
        break;
      case ZMQ_EVENT_CONNECT_RETRIED:
        if (!linked_ && refusal_.empty()) {
          refusal_ = "nothing listens there";
        }
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        refusal_ = "it refuses this CURVE key (" + std::to_string(value) + ")";
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        refusal_ = curve_.configured() ? "the CURVE handshake failed: is the server's key right?"
                                       : "the ZeroMQ handshake failed: does it want CURVE keys?";
        break;
      case ZMQ_EVENT_DISCONNECTED:
        if (linked_) {
          lost_ = true;
        } else if (refusal_.empty()) {
          refusal_ = "it closes the link during the handshake";
        }
        break;
      default:
        break;
    }
  }

  zmq::context_t context_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  std::string endpoint_;
  runtime::CurveConfig curve_;
  int type_;
  int fd_ = -1;  // of the connection, owned by libzmq: to look at, and only while linked
  bool linked_ = false;
  bool lost_ = false;
  std::string refusal_;
};

ControlReplyText parse_reply(std::string_view text) {
  ControlReplyText reply;
  JsonReader reader;
  if (!reader.validate(text)) {
    reply.code = "command_invalid";
    reply.message = "the answer is not JSON";
    return reply;
  }
  const JsonObject object(text);
  reply.id = object.number("id");
  reply.result = object.raw("result");
  if (reply.refused()) {
    const JsonObject error = object.object("error");
    reply.code = error.text("code");
    reply.message = error.text("message");
  }
  return reply;
}

}  // namespace

struct ControlClient::Impl {
  Link link;
  std::uint64_t next_id = 1;
};

ControlClient::ControlClient(std::string endpoint, runtime::CurveConfig curve)
    : impl_(new Impl{Link(ZMQ_DEALER, std::move(endpoint), std::move(curve))}) {}
ControlClient::~ControlClient() = default;

const std::string& ControlClient::endpoint() const {
  return impl_->link.endpoint();
}

Outcome<void> ControlClient::connect(milliseconds timeout) {
  return impl_->link.open(timeout);
}

Outcome<void> ControlClient::send(std::uint64_t id, std::string_view action,
                                  std::string_view payload) {
  const std::string text =
      JsonBuilder().number("id", id).text("action", action).raw("payload", payload).str();
  const auto sent = impl_->link.socket().send(zmq::buffer(text), zmq::send_flags::dontwait);
  if (!sent) {
    return unreachable("the link to " + endpoint() + " is lost");
  }
  return {};
}

Outcome<void> ControlClient::wait(int fd, milliseconds timeout, const OnReply& on_reply) {
  impl_->link.poll(ZMQ_POLLIN, fd, timeout);
  zmq::message_t frame;
  while (impl_->link.socket().recv(frame, zmq::recv_flags::dontwait)) {
    if (!frame.more() && frame.size() > 0) {
      on_reply(parse_reply(frame.to_string_view()));
    }
  }
  if (impl_->link.lost()) {
    return unreachable("the link to " + endpoint() + " is lost");
  }
  return {};
}

Outcome<std::string> ControlClient::request(std::string_view action, std::string_view payload,
                                            milliseconds timeout) {
  const std::uint64_t id = impl_->next_id++;
  if (auto sent = send(id, action, payload); !sent) {
    return sent.error();
  }
  const auto deadline = Clock::now() + timeout;
  std::optional<ControlReplyText> reply;
  while (!reply) {
    if (interrupted() || left(deadline).count() == 0) {
      return unreachable(endpoint() + (interrupted() ? ": interrupted" : " does not answer"));
    }
    auto waited = wait(-1, left(deadline), [&](const ControlReplyText& text) {
      // An error without an id is the answer to a command that could not be read: ours.
      if (text.id == id || (text.id == 0 && text.refused())) {
        reply = text;
      }
    });
    if (!waited && !reply) {
      return waited.error();
    }
  }
  if (reply->refused()) {
    return Failure{Exit::refused, reply->code, reply->message};
  }
  return reply->result;
}

struct IngestClient::Impl {
  Link link;
};

IngestClient::IngestClient(std::string endpoint, runtime::CurveConfig curve)
    : impl_(new Impl{Link(ZMQ_PUSH, std::move(endpoint), std::move(curve))}) {}
IngestClient::~IngestClient() = default;

Outcome<void> IngestClient::connect(milliseconds timeout) {
  return impl_->link.open(timeout);
}

Outcome<void> IngestClient::send(std::string_view channel, std::string_view payload,
                                 milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  auto& socket = impl_->link.socket();
  // A full queue can also refuse the second frame; libzmq then has taken the first one back.
  const auto hand_over = [&] {
    return socket.send(zmq::buffer(channel),
                       zmq::send_flags::sndmore | zmq::send_flags::dontwait) &&
           socket.send(zmq::buffer(payload), zmq::send_flags::dontwait);
  };
  while (!hand_over()) {
    if (left(deadline).count() == 0 || interrupted()) {
      return unreachable(impl_->link.endpoint() + " takes no more messages");
    }
    impl_->link.poll(ZMQ_POLLOUT, -1, left(deadline));
    if (impl_->link.lost()) {
      return unreachable("the link to " + impl_->link.endpoint() + " is lost");
    }
  }
  return {};
}

Outcome<void> IngestClient::wait(int fd, milliseconds timeout) {
  impl_->link.poll(0, fd, timeout);
  if (impl_->link.lost()) {
    return unreachable("the link to " + impl_->link.endpoint() + " is lost");
  }
  return {};
}

void IngestClient::finish(milliseconds timeout) {
  // A libzmq whose queue is full drops what it has not read from a unix socket when we close it. So
  // stay until it has read everything; our own queue is empty, too, when nothing new arrives for a
  // while.
  const auto deadline = Clock::now() + timeout;
  constexpr int kQuietTurns = 5;
  for (int quiet = 0; quiet < kQuietTurns && left(deadline).count() > 0;) {
    quiet = impl_->link.unread_bytes() == 0 ? quiet + 1 : 0;
    impl_->link.poll(0, -1, milliseconds(2));
  }
  impl_->link.close(left(deadline));
}

}  // namespace peal::cli
