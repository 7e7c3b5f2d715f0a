#include "session/connections.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "peal/runtime/descriptors.hpp"

namespace peal::gateway {

using State = Connection::State;

Connections::Connections(Loop& loop, ConnectionOwner& owner, const Limits& limits,
                         std::shared_ptr<TlsContext> tls, const ProxyTrust* proxies,
                         GatewayProbe& probe, runtime::Logger logger,
                         std::chrono::steady_clock::time_point now)
    : loop_(loop),
      owner_(owner),
      limits_(limits),
      tls_(std::move(tls)),
      probe_(probe),
      logger_(std::move(logger)),
      clients_(proxies, probe),
      outlet_(*this, limits.queue_bytes_max),
      reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      buffer_(kBufferBytes),
      start_(now) {}

Connections::~Connections() {
  for (std::uint32_t i = 0; i < table_.limit(); ++i)
    if (table_.used(i)) destroy(table_.at(i));
}

Connection* Connections::find(std::uint32_t index, std::uint32_t generation) {
  Connection* found = table_.find(index, generation);
  return found != nullptr && found->state != State::dead ? found : nullptr;
}

void Connections::set_now(std::chrono::steady_clock::time_point now) {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - start_);
  life_ms_ = static_cast<std::uint64_t>(passed.count()) + 1;
  now_ms_ = static_cast<std::uint32_t>(life_ms_);
  outlet_.set_now(now_ms_);
  handshakes_ = 0;
}

void Connections::accept_some(int listener) {
  const int descriptor_end = runtime::client_descriptor_end();
  for (std::size_t i = 0; i < limits_.accepts_per_turn_max; ++i) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (fd >= descriptor_end) {
        probe_.accept_refused();
        ::close(fd);
      } else {
        add(fd);
      }
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
    // Without a free descriptor the connection would stay readable for ever: take it and turn it
    // away.
    probe_.accept_refused();
    if (!reserve_.valid()) return;
    reserve_.reset();
    const int refused = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (refused >= 0) ::close(refused);
    reserve_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (refused < 0) return;
  }
}

void Connections::add(int fd) {
  const std::uint32_t index = table_.emplace();
  Connection& connection = table_.at(index);
  connection.fd = fd;
  connection.index = index;
  connection.since_s = now_s();
  if (!loop_.add(fd, {index, table_.generation(index)}, EPOLLIN | EPOLLRDHUP)) {
    probe_.accept_refused();
    destroy(connection);
    return;
  }
  probe_.accepted();
  probe_.connection_count_changed(table_.size());
  clients_.accepted(index, fd);
  if (!clients_.prefaced()) return begin(connection);
  connection.state = State::preface;
  schedule(connection, limits_.handshake_timeout);
}

void Connections::begin(Connection& connection) {
  connection.state = tls_ == nullptr ? State::http : State::handshake;
  if (tls_ != nullptr) connection.tls = make_tls_stream(*tls_, connection.fd);
  schedule(connection, tls_ == nullptr ? limits_.header_timeout : limits_.handshake_timeout);
  if (connection.cold) make_ready(connection);
}

void Connections::schedule(Connection& connection, std::chrono::milliseconds after) {
  wheel_.schedule(connection.index,
                  tick_at(life_ms_ + static_cast<std::uint64_t>(after.count())) + 1);
}

void Connections::on_event(const LoopEvent& event) {
  Connection* found = find(event.watched.index, event.watched.generation);
  if (found == nullptr) return;
  Connection& connection = *found;
  if (connection.outbox.blocked() &&
      (connection.tls != nullptr || (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0))
    outlet_.flush(connection);
  if (connection.state == State::dead) return;
  if ((event.events & EPOLLERR) != 0 ||
      ((event.events & EPOLLHUP) != 0 && !wants_input(connection))) {
    destroy(connection);
    return;
  }
  if (connection.state == State::preface) {
    read_preface(connection);
  } else if (connection.state == State::handshake) {
    shake_hands(connection);
  } else if ((event.events & (EPOLLIN | EPOLLHUP)) != 0 ||
             (connection.tls && connection.transport().read_wants_write())) {
    if (wants_input(connection)) {
      read(connection);
    } else if ((event.events & EPOLLRDHUP) != 0) {
      on_ended(connection);
    } else {
      connection.polls_input = false;
      watch(connection);
    }
  } else if ((event.events & EPOLLRDHUP) != 0) {
    on_ended(connection);
  }
}

bool Connections::wants_input(const Connection& connection) const {
  return connection.state >= State::closing || !owner_.paused(connection);
}

void Connections::shake_hands(Connection& connection) {
  if (++handshakes_ > limits_.accepts_per_turn_max) {
    make_ready(connection);
    return;
  }
  const IoResult result = connection.transport().handshake();
  if (result.status == IoResult::Status::ok) {
    connection.state = State::http;
    connection.polls_output = false;
    watch(connection);
    schedule(connection, limits_.header_timeout);
    if (connection.transport().has_pending()) make_ready(connection);
    return;
  }
  if (result.status != IoResult::Status::again) {
    probe_.handshake_failed();
    destroy(connection);
    return;
  }
  const bool output = connection.transport().read_wants_write();
  if (output == connection.polls_output) return;
  connection.polls_output = output;
  watch(connection);
}

void Connections::read(Connection& connection) {
  std::size_t budget = limits_.read_bytes_per_turn_max;
  while (connection.state != State::dead && wants_input(connection)) {
    std::size_t asked = 0;
    const IoResult result = read_once(connection, asked);
    if (connection.state == State::dead) return;
    if (result.status == IoResult::Status::again) break;
    if (result.status != IoResult::Status::ok) {
      if (result.status == IoResult::Status::closed)
        on_ended(connection);
      else
        destroy(connection);
      return;
    }
    if (connection.in_ready_list) break;
    const bool more = result.bytes == asked || connection.transport().has_pending();
    budget -= std::min(budget, result.bytes);
    if (!more) break;
    if (budget == 0) {
      make_ready(connection);
      break;
    }
  }
  if (connection.state == State::dead || !connection.tls) return;
  const bool output = connection.outbox.blocked() || connection.transport().read_wants_write();
  if (output == connection.polls_output) return;
  connection.polls_output = output;
  watch(connection);
}

// One recv, and what it brought handed on. A frame that fills more than half of the big buffer is
// gathered where it stays; everything else goes through the big buffer, behind what was left of the
// last read.
IoResult Connections::read_once(Connection& connection, std::size_t& asked) {
  const Transport transport = connection.transport();
  if (Connection::Cold* cold = connection.cold.get(); cold != nullptr &&
                                                      cold->input_wanted > cold->input.size() &&
                                                      cold->input_wanted > kBufferBytes / 2) {
    const std::size_t held = cold->input.size();
    asked = std::min(cold->input_wanted - held, kBufferBytes);
    cold->input.resize(held + asked);
    const IoResult result = transport.read(cold->input.data() + held, asked);
    cold->input.resize(held + result.bytes);
    connection.heard |= result.bytes > 0;
    if (cold->input.size() >= cold->input_wanted) feed_held(connection);
    return result;
  }
  std::size_t held = 0;
  if (connection.cold && !connection.cold->input.empty()) {
    if (connection.cold->input.size() > kBufferBytes / 2) {
      feed_held(connection);
      return {IoResult::Status::again, 0};
    }
    held = connection.cold->input.size();
    std::memcpy(buffer_.data(), connection.cold->input.data(), held);
  }
  asked = kBufferBytes - held;
  const IoResult result = transport.read(buffer_.data() + held, asked);
  if (result.status != IoResult::Status::ok) return result;
  connection.heard = true;
  if (held > 0) connection.cold->input.clear();
  feed(connection, {buffer_.data(), held + result.bytes});
  return result;
}

void Connections::feed_held(Connection& connection) {
  // The bytes are moved out, so that whatever the owner does to `cold` can't touch them.
  std::string input = std::move(connection.cold->input);
  connection.cold->input.clear();
  connection.cold->input_wanted = 0;
  feed(connection, {input.data(), input.size()});
}

void Connections::feed(Connection& connection, std::span<char> input) {
  if (connection.cold) connection.cold->input_wanted = 0;
  Connection* outer = std::exchange(feeding_, &connection);
  while (!input.empty() && connection.state != State::dead) {
    if (connection.state == State::lingering) {
      input = {};
      break;
    }
    const std::size_t before = input.size();
    const State state = connection.state;
    owner_.on_input(connection, input);
    if (input.size() == before && connection.state == state) break;
  }
  feeding_ = outer;
  if (connection.state == State::dead) return;
  if (!input.empty()) connection.cold_part().input.assign(input.data(), input.size());
  connection.trim_cold();
}

void Connections::on_ended(Connection& connection) {
  connection.peer_ended = true;
  const bool speaks = connection.state == State::http || connection.state == State::open;
  if ((speaks && owner_.on_peer_ended(connection)) ||
      (connection.state == State::closing && !connection.outbox.empty())) {
    connection.polls_input = false;
    watch(connection);
    return;
  }
  if (connection.state != State::dead) destroy(connection);
}

void Connections::watch(Connection& connection) {
  std::uint32_t events = 0;
  if (connection.polls_input) events |= EPOLLIN;
  if (connection.polls_output) events |= EPOLLOUT;
  if (!connection.peer_ended) events |= EPOLLRDHUP;
  loop_.modify(connection.fd, {connection.index, generation(connection)}, events);
}

void Connections::make_ready(Connection& connection) {
  if (connection.in_ready_list) return;
  connection.in_ready_list = true;
  ready_.push_back(connection.index);
}

void Connections::resume(Connection& connection) {
  if (&connection == feeding_ || connection.state == State::dead) return;
  if (connection.cold || !connection.polls_input) make_ready(connection);
}

void Connections::serve_ready() {
  serving_.swap(ready_);
  for (const std::uint32_t index : serving_) {
    Connection& connection =
        table_.at(index);  // dead ones keep their slot until the end of the turn
    connection.in_ready_list = false;
    if (connection.state != State::dead) serve(connection);
  }
  serving_.clear();
}

void Connections::serve(Connection& connection) {
  if (connection.state == State::handshake) {
    shake_hands(connection);
    return;
  }
  if (connection.cold && connection.cold->has_stalled) {
    Connection* outer = std::exchange(feeding_, &connection);
    owner_.on_resumed(connection);
    feeding_ = outer;
  }
  if (connection.state == State::dead || !wants_input(connection)) return;
  if (connection.cold && !connection.cold->input.empty() &&
      connection.cold->input.size() >= connection.cold->input_wanted)
    feed_held(connection);
  if (connection.state == State::dead || !wants_input(connection)) return;
  connection.trim_cold();
  if (!connection.polls_input && !connection.peer_ended) {
    connection.polls_input = true;
    watch(connection);
  }
  if (!connection.peer_ended) read(connection);
}

void Connections::finish(Connection& connection) {
  if (connection.state >= State::closing) return;
  connection.state = State::closing;
  schedule(connection, limits_.close_timeout);
  outlet_.seal(connection);
  if (!connection.polls_input && !connection.peer_ended) {
    connection.polls_input = true;
    watch(connection);
  }
}

void Connections::destroy(Connection& connection) {
  if (connection.state == State::dead) return;
  owner_.on_gone(connection);
  connection.state = State::dead;
  outlet_.forget(connection);
  wheel_.cancel(connection.index);
  connection.tls.reset();
  connection.transport().close();  // leaves the epoll set with it
  connection.fd = -1;
  dead_.push_back(connection.index);
}

void Connections::end_turn() {
  for (const auto& [index, generation] : ending_)
    if (Connection* connection = find(index, generation)) destroy(*connection);
  ending_.clear();
  if (!dead_.empty()) {
    std::erase_if(ready_,
                  [&](std::uint32_t index) { return table_.at(index).state == State::dead; });
    for (const std::uint32_t index : dead_)
      table_.erase(index);
    dead_.clear();
    probe_.connection_count_changed(table_.size());
  }
  probe_.sent(outlet_.counts());
}

void Connections::tick() {
  wheel_.advance(tick_at(life_ms_), [&](std::uint32_t index) {
    Connection& connection = table_.at(index);
    if (connection.state == State::dead) return;
    if (connection.state == State::handshake) probe_.handshake_failed();
    if (connection.state <= State::handshake || connection.state >= State::closing)
      destroy(connection);
    else
      owner_.on_timer(connection);
  });
  if (static_cast<std::int32_t>(now_ms_ - next_expiry_ms_) >= 0) expire_queues();
}

void Connections::expire_queues() {
  const auto age = static_cast<std::uint32_t>(limits_.queue_age_max.count());
  next_expiry_ms_ = now_ms_ + std::clamp<std::uint32_t>(age / 8, 10, 1000);
  slow_reason_ = SlowReason::age;
  for (std::size_t i = 0; i < blocked_.size();) {
    const std::uint32_t index = blocked_[i];
    if (table_.used(index) && table_.at(index).state != State::dead &&
        table_.at(index).outbox.blocked()) {
      outlet_.expire(table_.at(index), age);
      ++i;
    } else {
      if (table_.used(index)) table_.at(index).in_blocked_list = false;
      blocked_[i] = blocked_.back();
      blocked_.pop_back();
    }
  }
  slow_reason_ = SlowReason::bytes;
}

std::chrono::milliseconds Connections::until_next_deadline() const {
  constexpr std::chrono::milliseconds kLongest{500};
  if (!blocked_.empty()) {
    const auto left = static_cast<std::int32_t>(next_expiry_ms_ - now_ms_);
    return std::clamp(std::chrono::milliseconds(left), std::chrono::milliseconds(1), kLongest);
  }
  const auto ticks =
      wheel_.ticks_to_next(tick_at(life_ms_) + 1, static_cast<std::uint32_t>(kLongest / kTick));
  return std::min(kLongest, kTick * (ticks + 1));
}

void Connections::on_blocked(Endpoint& endpoint) {
  auto& connection = static_cast<Connection&>(endpoint);
  if (!connection.in_blocked_list) blocked_.push_back(connection.index);
  connection.in_blocked_list = true;
  connection.polls_output = true;
  watch(connection);
}

void Connections::on_unblocked(Endpoint& endpoint) {
  auto& connection = static_cast<Connection&>(endpoint);
  connection.polls_output = connection.transport().read_wants_write();
  watch(connection);
  resume(connection);
  owner_.on_writable(connection);
}

void Connections::on_drained(Endpoint& endpoint) {
  auto& connection = static_cast<Connection&>(endpoint);
  if (connection.state != State::closing) return;
  if (connection.peer_ended) {
    destroy(connection);
    return;
  }
  connection.transport().shutdown();
  connection.state = State::lingering;
}

void Connections::on_send_failed(Endpoint& endpoint) {
  destroy(static_cast<Connection&>(endpoint));
}

void Connections::on_overflow(Endpoint& endpoint) {
  owner_.on_too_slow(static_cast<Connection&>(endpoint), slow_reason_);
}

}  // namespace peal::gateway
