#include "session/shard_thread.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

namespace peal::gateway {

using State = Connection::State;

ShardThread::ShardThread(const ShardConfig& config, std::size_t index, Fd listener,
                         ShardShared& shared, runtime::Logger logger,
                         runtime::ProbeRegistry& probes)
    : config_(config),
      index_(index),
      shared_(shared),
      logger_(std::move(logger)),
      registration_(probes.add(probe_)),
      mailbox_(std::make_shared<Mailbox>(loop_)),
      connections_(loop_, *this, config.limits, config.tls, config.proxies.get(), probe_, logger_,
                   config.clock()),
      sessions_(config, connections_, encoder_, probe_, host()),
      http_(*this, connections_, encoder_, config.limits, probe_, gate()),
      listener_(std::move(listener)),
      now_(config.clock()) {
  mailbox_->set_closer(&sessions_);
  shared_.shelves.places.push_back({mailbox_, &sessions_.shelf()});
  last_turn_ = now_.time_since_epoch().count();
}

ShardThread::~ShardThread() {
  stop();
}

HttpFace::Gate ShardThread::gate() {
  return {.admit = [this]() -> std::optional<Error> {
            if (shared_.sessions.load(std::memory_order_relaxed) < config_.limits.sessions_max)
              return std::nullopt;
            return fail(ErrorCode::sessions_max, "the gateway has limits.sessions_max sessions");
          },
          .opened =
              [this](Connection& connection) {
                shared_.sessions.fetch_add(1, std::memory_order_relaxed);
                sessions_.opened(connection);
              }};
}

SessionHost ShardThread::host() {
  return {.pump_bus = [this] { pump_bus(); },
          .later = [this](std::chrono::milliseconds after,
                          std::function<void()> task) { later(after, std::move(task)); },
          .session_ended = [this] { shared_.sessions.fetch_sub(1, std::memory_order_relaxed); },
          .shelves = &shared_.shelves,
          .mailbox = mailbox_,
          .shard = static_cast<std::uint8_t>(index_),
          .incarnation = shared_.incarnation};
}

void ShardThread::attach(bus::Bus& bus) {
  port_ = &bus.attach(*this, loop_);
  sessions_.attach(*port_);
}

void ShardThread::start() {
  thread_ = std::thread([this] { run(); });
}

void ShardThread::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  loop_.wake();
  thread_.join();
}

bool ShardThread::ticked_within(std::chrono::milliseconds age) const {
  const Clock::time_point last{Clock::duration(last_turn_.load(std::memory_order_relaxed))};
  return config_.clock() - last < age;
}

void ShardThread::run() {
  begin();
  while (!stopping_)
    turn();
  end();
}

void ShardThread::begin() {
  if (config_.make_http) http_.set_service(config_.make_http(*this));
  if (listener_.valid() && !loop_.add(listener_.get(), {Watched::kListener, 0}, EPOLLIN))
    logger_.error("can't watch the listener");
}

void ShardThread::turn() {
  const auto events = loop_.wait(patience());
  now_ = config_.clock();
  last_turn_.store(now_.time_since_epoch().count(), std::memory_order_relaxed);
  connections_.set_now(now_);
  for (const LoopEvent& event : events) {
    if (event.watched.index != Watched::kListener)
      connections_.on_event(event);
    else if (listener_.valid())
      connections_.accept_some(listener_.get());
  }
  connections_.serve_ready();
  run_tasks();
  pump_bus();
  sessions_.hub().recoveries().pump();
  sessions_.close_doomed();
  sessions_.hub().compact();
  flush();
  connections_.tick();
  sessions_.tick(connections_.life());
  run_timers();
  if (drain_) drain_some();
  if (shed_) shed_some();
  sessions_.close_doomed();
  connections_.end_turn();
  probe_.turned();
}

std::chrono::microseconds ShardThread::patience() const {
  using std::chrono::microseconds;
  const bool waiting = connections_.outlet_dirty();
  if (bus_has_more_ || connections_.has_ready() || sessions_.hub().recoveries().due())
    return microseconds(0);
  if (waiting && config_.flush_delay.count() == 0) return microseconds(0);
  auto wait = std::chrono::duration_cast<microseconds>(
      sessions_.hub().until_next_deadline(connections_.until_next_deadline()));
  if (waiting)
    wait = std::clamp(
        std::chrono::duration_cast<microseconds>(dirty_since_ + config_.flush_delay - now_),
        microseconds(0), wait);
  if (!timers_.empty())
    wait = std::clamp(std::chrono::duration_cast<microseconds>(timers_.begin()->first - now_),
                      microseconds(0), wait);
  if (drain_ || shed_)
    wait = std::min(wait, std::chrono::duration_cast<microseconds>(Connections::kTick));
  return wait;
}

void ShardThread::pump_bus() {
  sessions_.before_bus();
  bus_has_more_ = port_->turn();
}

// With more input at hand and little gathered, sending waits for a moment: overload must lead to
// more messages a system call, not fewer.
void ShardThread::flush() {
  Outlet& outlet = connections_.outlet();
  if (!outlet.dirty()) {
    dirty_since_ = {};
    return;
  }
  if (dirty_since_ == Clock::time_point{}) dirty_since_ = now_;
  const bool busy = connections_.has_ready() &&
                    outlet.gathered_bytes() < outlet.dirty_count() * kGatherEachWhenBusy;
  const Clock::duration delay = std::max<Clock::duration>(
      config_.flush_delay, busy ? kDelayWhenBusy : std::chrono::microseconds(0));
  if (delay.count() > 0 && now_ - dirty_since_ < delay) return;
  if (!outlet.flush_dirty(kFlushesPerTurn)) dirty_since_ = {};
}

void ShardThread::run_tasks() {
  for (auto& task : mailbox_->take())
    task();
}

void ShardThread::later(std::chrono::milliseconds after, std::function<void()> task) {
  timers_.emplace(config_.clock() + after, std::move(task));
}

void ShardThread::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    const auto node = timers_.extract(timers_.begin());
    node.mapped()();
  }
}

void ShardThread::on_input(Connection& connection, std::span<char>& input) {
  if (connection.state == State::http) return http_.on_input(connection, input);
  if (connection.principal) return sessions_.on_input(connection, input);
  input = {};  // the rest of a request that was refused
}

bool ShardThread::paused(const Connection& connection) const {
  // No further request is looked at while the last answer is not taken: who doesn't read gets no
  // pile.
  if (connection.state == State::http)
    return connection.http && (connection.http->answer_due || connection.outbox.blocked());
  return sessions_.paused(connection);
}

void ShardThread::on_writable(Connection& connection) {
  if (connection.state == State::http)
    http_.on_writable(connection);
  else if (connection.waits_for_room)
    sessions_.on_room(connection);
}

void ShardThread::on_timer(Connection& connection) {
  if (connection.state == State::http)
    http_.on_timer(connection);
  else
    sessions_.on_timer(connection);
}

bool ShardThread::on_peer_ended(Connection& connection) {
  return connection.state == State::http && http_.on_peer_ended(connection);
}

void ShardThread::on_too_slow(Connection& connection, SlowReason reason) {
  if (connection.state == State::open) return sessions_.on_too_slow(connection, reason);
  if (connection.state == State::http) probe_.too_slow(reason);
  connections_.end_later(connection);
}

void ShardThread::on_gone(Connection& connection) {
  sessions_.on_gone(connection);
  HttpFace::on_gone(connection);
}

void ShardThread::on_batch(std::span<const bus::Delivery> deliveries) {
  sessions_.hub().on_batch(deliveries);
}
void ShardThread::on_heads(std::span<const bus::HeadNotice> heads) {
  sessions_.rooms().on_heads(heads);
  sessions_.hub().on_heads(heads);
}
void ShardThread::on_published(std::span<const bus::Published> outcomes) {
  sessions_.on_published(outcomes);
}
void ShardThread::on_page(const bus::Page& page) {
  sessions_.on_page(page);
}
void ShardThread::on_presence(const bus::PresenceAnswer& answer) {
  sessions_.on_presence(answer);
}
void ShardThread::on_presence_events(std::span<const bus::PresenceEvent> events) {
  sessions_.rooms().on_events(events);
}
void ShardThread::on_state(const bus::BusState& state) {
  const bool changed = state.linked != sessions_.bus_state().linked;
  sessions_.on_state(state);
  // Of several brokers one that comes or goes is the bus thread's to tell.
  const char* const what = state.linked ? "bus linked" : "bus lost";
  if (changed) {
    logger_.info(what, {{"shard", index_}, {"detail", state.detail}});
  } else {
    logger_.debug(what, {{"shard", index_}, {"detail", state.detail}});
  }
}

void ShardThread::respond(std::uint32_t index, std::uint32_t generation, http::Response response) {
  if (Connection* connection = connections_.find(index, generation))
    http_.respond(*connection, std::move(response));
}

void ShardThread::respond(std::uint32_t index, std::uint32_t generation, http::Response response,
                          std::unique_ptr<BodySource> body) {
  if (Connection* connection = connections_.find(index, generation))
    http_.respond(*connection, std::move(response), std::move(body));
}

void ShardThread::wait(std::uint32_t index, std::uint32_t generation,
                       std::shared_ptr<Waiter> waiter, std::chrono::milliseconds at_most) {
  if (Connection* connection = connections_.find(index, generation))
    http_.wait(*connection, std::move(waiter), at_most);
}

void ShardThread::upgrade(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
                          std::shared_ptr<const Principal> principal, HttpHeaders headers) {
  if (Connection* connection = connections_.find(index, generation))
    http_.upgrade(*connection, protocol, std::move(principal), headers);
}

void ShardThread::stream(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
                         std::shared_ptr<const Principal> principal, const HttpHeaders& headers,
                         const StreamOrder& order) {
  Connection* connection = connections_.find(index, generation);
  if (connection != nullptr &&
      http_.stream(*connection, protocol, std::move(principal), headers, order))
    sessions_.open_stream(*connection, order);
}

bool ShardThread::alive(std::uint32_t index, std::uint32_t generation) const {
  Connection* connection = const_cast<ShardThread*>(this)->connections_.find(index, generation);
  return connection != nullptr && !connection->peer_ended;
}

std::string ShardThread::peer(std::uint32_t index, std::uint32_t generation) const {
  Connection* connection = const_cast<ShardThread*>(this)->connections_.find(index, generation);
  return connection == nullptr ? std::string() : connections_.client(*connection);
}

void ShardThread::list(std::uint32_t after_index, std::size_t limit, SessionPage& page) {
  auto& table = connections_.table();
  for (std::uint32_t i = after_index; i < table.limit() && page.sessions.size() < limit; ++i)
    if (table.used(i) && table.at(i).state == State::open)
      page.sessions.push_back(sessions_.info_of(table.at(i)));
}

bool ShardThread::disconnect(std::string_view session_id, CloseCode code, std::string_view reason) {
  unsigned incarnation = 0, shard = 0, index = 0, generation = 0;
  const std::string text(session_id);
  if (std::sscanf(text.c_str(), "%8x-%2x-%x-%x", &incarnation, &shard, &index, &generation) != 4)
    return false;
  Connection* connection = connections_.find(index, generation);
  if (connection == nullptr || connection->state != State::open ||
      sessions_.id_of(*connection) != session_id)
    return false;
  sessions_.close(*connection, code, reason);
  return true;
}

void ShardThread::answer(const bus::ClusterQuery& query, bus::ClusterAnswer& answer) {
  using What = bus::ClusterQuery::What;
  switch (query.what) {
    case What::disconnect_session:
      answer.disconnected += disconnect(query.who, query.code, query.reason) ? 1 : 0;
      break;
    case What::disconnect_user: {
      auto& table = connections_.table();
      for (std::uint32_t i = 0; i < table.limit(); ++i) {
        if (!table.used(i) || table.at(i).state != State::open) continue;
        if (table.at(i).principal->user != query.who) continue;
        sessions_.close(table.at(i), query.code, query.reason);
        ++answer.disconnected;
      }
      break;
    }
    case What::count:
      answer.sessions += sessions_.count();
      answer.subscriptions += sessions_.hub().subscriptions();
      break;
  }
}

void ShardThread::end() {
  for (auto& task : mailbox_->close())
    task();
  if (port_ != nullptr) pump_bus();
  sessions_.end();
  auto& table = connections_.table();
  for (std::uint32_t i = 0; i < table.limit(); ++i)
    if (table.used(i)) connections_.destroy(table.at(i));
  timers_.clear();
  connections_.end_turn();
  sessions_.hub().compact();
  http_.set_service(nullptr);
}

}  // namespace peal::gateway
