#include "redis/sentinel_watch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "redis/backoff.hpp"

namespace peal::redis {

struct SentinelWatch::Timer {
  explicit Timer(boost::asio::io_context& context) : timer(context) {}
  boost::asio::steady_timer timer;
};

SentinelWatch::SentinelWatch(boost::asio::io_context& context, const Config& config,
                             std::shared_ptr<TlsContext> tls, std::vector<Endpoint> sentinels,
                             std::function<void(const Endpoint&)> told)
    : context_(context),
      config_(config),
      tls_(std::move(tls)),
      sentinels_(std::move(sentinels)),
      told_(std::move(told)),
      timer_(std::make_unique<Timer>(context)) {}

SentinelWatch::~SentinelWatch() = default;

void SentinelWatch::start() {
  connection_ =
      std::make_shared<Connection>(context_, config_, tls_, sentinels_[next_++ % sentinels_.size()],
                                   Greeting::Kind::sentinel, *this);
  connection_->open();
}

void SentinelWatch::stop() {
  told_ = nullptr;
  timer_->timer.cancel();
  if (const auto connection = std::exchange(connection_, nullptr)) connection->abandon("stopped");
}

void SentinelWatch::on_ready(Connection& connection) {
  failures_ = 0;
  std::string bytes;
  encode({"SUBSCRIBE", "+switch-master"}, bytes);
  connection.say(bytes);
}

/// "mymaster 127.0.0.1 6379 127.0.0.1 6380": of what the Sentinels watch, the one that is ours.
void SentinelWatch::on_push(Connection& connection, Reply reply) {
  if (reply.is_error()) return connection.close(reply.text);
  const bool ours = reply.elements.size() == 3 && reply.elements[0].text == "message" &&
                    reply.elements[2].text.starts_with(config_.master_name + " ");
  if (ours && told_) told_(connection.endpoint());
}

void SentinelWatch::on_closed(Connection&, const std::string&) {
  connection_ = nullptr;
  timer_->timer.expires_after(backoff(config_, failures_++));
  timer_->timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self && self->told_) self->start();
  });
}

}  // namespace peal::redis
