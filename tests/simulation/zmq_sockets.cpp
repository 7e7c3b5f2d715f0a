// The bus's sockets, over the simulated network: a dealer that connects, as libzmq's monitor tells
// of it, and wake-ups of the bus thread's strand. The broker's side is BrokerLife's own.
#include <deque>

#include "bus/zmq_socket.hpp"
#include "peal/bus/peer_link.hpp"
#include "sockets.hpp"

namespace peal::bus {
namespace {

using namespace std::chrono_literals;
using simulation::LinePtr;
using simulation::Machine;
using simulation::Parcel;
using simulation::Sockets;
using simulation::Strand;
using What = SocketEvent::What;

struct Dealer {
  explicit Dealer(Strand& its_strand) : strand(its_strand) {}
  ~Dealer() {
    *alive = false;
    if (line) line->close(0);
  }

  void connect() {
    Sockets::current().network().connect(strand.machine(), *to, simulation::Line::Measure::messages,
                                         2 * kLinkMessagesMax, [this, still = alive](LinePtr made) {
                                           if (!*still) {
                                             if (made) made->close(0);
                                             return;
                                           }
                                           made ? connected(std::move(made)) : retry();
                                         });
  }
  void connected(LinePtr made) {
    line = std::move(made);
    line->on_change(0, [this] { changed(); });
    tell(What::connected);
    changed();
  }
  void changed() {
    if (line->reset(0) || line->ended(0)) {
      line->close(0);
      line = nullptr;
      tell(What::disconnected);
      retry();
    }
    strand.wake();
  }
  void retry() {
    tell(What::retried);
    simulation::World& world = strand.machine().world;
    world.after(world.between(100ms, 1s), [this, still = alive] {
      if (*still) connect();
    });
  }
  void tell(What what) {
    events.push_back({what, to->name, 0});
    strand.wake();
  }

  Strand& strand;
  Machine* to = nullptr;
  LinePtr line;
  std::deque<SocketEvent> events;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  ///< the network calls back late
};

Dealer& dealer(void* socket) {
  return *static_cast<Dealer*>(socket);
}

}  // namespace

ZmqContext::ZmqContext() : context_(nullptr) {}
ZmqContext::~ZmqContext() = default;

struct ZmqFrames::Storage {
  Parcel parcel;
};
ZmqFrames::ZmqFrames() : storage_(std::make_unique<Storage>()) {}
ZmqFrames::~ZmqFrames() = default;
std::string_view ZmqFrames::at(std::size_t i) const {
  return i == 0 ? storage_->parcel.header : storage_->parcel.body;
}

ZmqSocket::ZmqSocket(ZmqContext&, SocketKind, const Limits&)
    : socket_(new Dealer(*Strand::current())) {}
ZmqSocket::~ZmqSocket() {
  delete static_cast<Dealer*>(socket_);
}
Result<void> ZmqSocket::bind(const std::string& endpoint) {
  return fail(ErrorCode::config_invalid, "nothing binds here: " + endpoint);
}
Result<void> ZmqSocket::connect(const std::string& endpoint) {
  Dealer& mine = dealer(socket_);
  mine.to = Sockets::current().machine(endpoint);
  if (mine.to == nullptr) return fail(ErrorCode::config_invalid, "no machine at " + endpoint);
  mine.connect();
  return {};
}
std::string ZmqSocket::last_endpoint() const {
  return {};
}

std::optional<SocketEvent> ZmqSocket::next_event() {
  auto& events = dealer(socket_).events;
  if (events.empty()) return std::nullopt;
  SocketEvent first = std::move(events.front());
  events.pop_front();
  return first;
}

ZmqSocket::Sent ZmqSocket::send(std::string_view, std::string& header, std::string& body) {
  Dealer& mine = dealer(socket_);
  if (!mine.line || mine.line->room(0) == 0) return Sent::full;
  mine.line->send(0, {std::move(header), std::move(body)});
  return Sent::ok;
}

bool ZmqSocket::receive(ZmqFrames& frames) {
  Dealer& mine = dealer(socket_);
  if (!mine.line || !mine.line->readable(0)) return false;
  frames.storage_->parcel = mine.line->take(0);
  frames.size_ = 2;
  return true;
}

bool ZmqSocket::pending() const {
  const Dealer& mine = dealer(socket_);
  return !mine.events.empty() || (mine.line && mine.line->readable(0));
}

// `descriptor_` is the number under which the strand is woken.
WakeDescriptor::WakeDescriptor() : descriptor_(Sockets::current().add_waker(Strand::current())) {}
WakeDescriptor::~WakeDescriptor() {
  Sockets::current().remove_waker(descriptor_);
}
void WakeDescriptor::wake() noexcept {
  Sockets::current().wake(descriptor_);
}
void WakeDescriptor::clear() noexcept {}

}  // namespace peal::bus
