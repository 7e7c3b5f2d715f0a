// How a shard's clients are sent away: all of them when it stops, some of them when other gateways
// have less to do.
#include <algorithm>
#include <string>
#include <utility>

#include "session/shard_thread.hpp"

namespace peal::gateway {

using State = Connection::State;

namespace {

constexpr std::size_t kShedShare = 10;  ///< percent a second, when nothing is set

double part(std::size_t percent, std::size_t of) {
  return static_cast<double>(of) * static_cast<double>(percent) / 100;
}

}  // namespace

void ShardThread::drain(std::chrono::milliseconds time, std::function<void()> then) {
  if (listener_.valid()) loop_.remove(listener_.get());
  listener_.reset();
  shed_.reset();
  http_.set_draining();
  const std::size_t all = connections_.alive();
  drain_ = std::make_unique<Drain>(
      Drain{.pacer = Pacer({all, time, part(config_.drain_share_max, all)}, now_),
            .then = std::move(then)});
}

// Connections are visited in the order of their slots, as many of them as are due.
void ShardThread::drain_some() {
  Drain& drain = *drain_;
  auto& table = connections_.table();
  const bool over = drain.pacer.over(now_);
  std::size_t due = drain.pacer.due(now_);
  if (over) drain.cursor = 0;  // answers that were due meanwhile, and what they leave behind
  for (; drain.cursor < table.limit() && (over || due > 0); ++drain.cursor) {
    if (!table.used(drain.cursor)) continue;
    due -= due > 0 ? 1 : 0;
    end_gently(table.at(drain.cursor));
  }
  if (connections_.alive() > 0 || !drain.then) return;
  std::exchange(drain.then, nullptr)();
}

void ShardThread::end_gently(Connection& connection) {
  const bool idle = connection.state == State::http && connection.outbox.empty() &&
                    (!connection.http || (connection.http->fresh && !connection.http->answer_due));
  if (connection.state == State::open)
    send_away(connection, "the gateway is stopping");
  else if (connection.http && connection.http->waiter)
    HttpFace::hurry(connection);
  else if (connection.state <= State::handshake || idle)
    connections_.destroy(connection);
}

// Closes are paced, so those who come back are too; the delay keeps those of one turn apart.
void ShardThread::send_away(Connection& connection, std::string_view why) {
  sessions_.close(
      connection, CloseCode::restarting,
      std::string(why) + "; retry_after_ms=" + std::to_string(comebacks_.next().count()));
}

void ShardThread::shed(std::size_t count) {
  if (drain_ || shed_) return;
  const std::size_t share = config_.drain_share_max == 0 ? kShedShare : config_.drain_share_max;
  const double rate = std::max(part(share, sessions_.count()), 1.0);
  const std::chrono::duration<double> time(static_cast<double>(count) / rate);
  shed_ = std::make_unique<Pacer>(
      Pacer::Plan{std::min(count, sessions_.count()),
                  std::chrono::duration_cast<std::chrono::milliseconds>(time), rate},
      now_);
}

// One after the other all around the table, so that it isn't the same clients each time.
void ShardThread::shed_some() {
  auto& table = connections_.table();
  std::size_t due = shed_->due(now_);
  for (std::uint32_t i = 0; i < table.limit() && due > 0; ++i) {
    shed_cursor_ = shed_cursor_ + 1 < table.limit() ? shed_cursor_ + 1 : 0;
    if (!table.used(shed_cursor_) || table.at(shed_cursor_).state != State::open) continue;
    --due;
    send_away(table.at(shed_cursor_), "clients are spread over the gateways again");
  }
  if (shed_->finished()) shed_.reset();
}

void ShardThread::use_tls(std::shared_ptr<TlsContext> tls) {
  connections_.use_tls(std::move(tls));
}

}  // namespace peal::gateway
