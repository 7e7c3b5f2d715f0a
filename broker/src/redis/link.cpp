#include "redis/link.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/verdict.hpp"

namespace peal::redis {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

}  // namespace

struct Link::Timers {
  explicit Timers(asio::io_context& context) : probe(context), listen(context) {}
  asio::steady_timer probe, listen;
};

Link::Link(asio::io_context& context, const Config& config, std::shared_ptr<TlsContext> tls,
           LinkOwner& owner, Id id, std::string node_id, Endpoint endpoint,
           std::uint64_t config_epoch)
    : context_(context),
      config_(config),
      tls_(std::move(tls)),
      owner_(&owner),
      id_(id),
      node_{.address = endpoint.to_string(),
            .id = std::move(node_id),
            .mastership = {.config_epoch = config_epoch}},
      endpoint_(std::move(endpoint)),
      timers_(std::make_unique<Timers>(context)) {}

Link::~Link() = default;

void Link::connect() {
  commands_ = std::make_shared<Connection>(context_, config_, tls_, endpoint_,
                                           Greeting::Kind::master, *this);
  commands_->open();
}

void Link::close(const std::string& reason) {
  if (commands_) commands_->close(reason);
}

void Link::retire(const std::string& reason) {
  owner_ = nullptr;
  if (commands_) commands_->abandon(reason);
  end_connections(reason);
}

void Link::end_connections(const std::string& reason) {
  timers_->probe.cancel();
  timers_->listen.cancel();
  if (const auto listener = std::exchange(listener_, nullptr)) listener->abandon(reason);
  commands_ = nullptr;
  up_ = false;
  listening_ = false;
}

std::vector<std::vector<std::string>> Link::setup(Connection& connection) {
  if (&connection != commands_.get() || owner_ == nullptr) return {};
  node_.mastership.run_id = connection.greeting().run_id();
  return owner_->setup(*this);
}

std::string Link::judge_setup(Connection&, const std::vector<Reply>& replies) {
  return owner_ != nullptr ? owner_->judge_setup(*this, replies) : std::string();
}

void Link::on_ready(Connection& connection) {
  if (&connection != commands_.get()) return on_listener_ready();
  up_ = true;
  was_up = true;
  failures = 0;
  reasons_told.clear();
  listen();
  owner_->on_up(*this);
}

void Link::listen() {
  listener_ = std::make_shared<Connection>(context_, config_, tls_, endpoint_,
                                           Greeting::Kind::master, *this);
  listener_->open();
}

void Link::on_listener_ready() {
  if (listener_->greeting().run_id() != node_.mastership.run_id) {
    return close("another process answers there now");
  }
  listening_ = true;
  listener_failures_ = 0;
  heard();
  probe_later();
  owner_->on_listening(*this);
}

void Link::on_closed(Connection& connection, const std::string& reason) {
  if (&connection == listener_.get()) return on_listener_closed(reason);
  if (&connection != commands_.get()) return;
  const auto keep = shared_from_this();
  const bool heard = listening_;
  end_connections(reason);
  if (heard) owner_->on_deaf(*this, reason);
  if (owner_ != nullptr) owner_->on_down(*this, reason);
}

void Link::on_listener_closed(const std::string& reason) {
  const auto keep = shared_from_this();
  listener_ = nullptr;
  timers_->probe.cancel();
  listening_ = false;
  timers_->listen.expires_after(backoff(config_, listener_failures_++));
  timers_->listen.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self && self->up_ && !self->listener_) self->listen();
  });
  owner_->on_deaf(*this, reason);
}

void Link::send(Command& command, bool asking, Done done) {
  if (command.mastership_at != Command::kNowhere) {
    command.args.at(command.mastership_at) = std::to_string(node_.mastership.config_epoch);
    command.args.at(command.mastership_at + 1) = node_.mastership.run_id;
  }
  Request request{.asking = asking, .waits = command.wait_replicas > 0};
  if (asking) encode({"ASKING"}, request.bytes);
  encode(command.args, request.bytes);
  if (request.waits) {
    request.patience = command.wait_timeout;
    encode({"WAIT", std::to_string(command.wait_replicas),
            std::to_string(command.wait_timeout.count())},
           request.bytes);
  }
  request.done = std::move(done);
  commands_->request(std::move(request));
}

void Link::say(const std::vector<std::string>& args) {
  if (!listening_) return;
  std::string bytes;
  encode(args, bytes);
  listener_->say(bytes);
}

void Link::stop_listening(const std::string& reason) {
  if (listener_) listener_->close(reason);
}

void Link::on_turn() {
  if (owner_ != nullptr) owner_->on_turn();
}

void Link::on_push(Connection& connection, Reply reply) {
  if (owner_ == nullptr) return;
  if (&connection != listener_.get()) return connection.close("it said something unasked");
  owner_->on_push(*this, std::move(reply));
}

void Link::set_probe(std::string channel) {
  probe_ = std::move(channel);
  heard();
}

void Link::heard() {
  heard_at_ = Clock::now();
}

void Link::probe_later() {
  probe_due_ = Clock::now() + config_.probe_interval;
  timers_->probe.expires_at(probe_due_);
  timers_->probe.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self && self->listening_) self->on_probe_time();
  });
}

void Link::on_probe_time() {
  const auto now = Clock::now();
  // Who was stopped or starved itself has not listened either: what came is still to be read.
  if (now - probe_due_ > config_.probe_interval) heard_at_ = now;
  if (probe_.empty()) {
    heard_at_ = now;
  } else if (now - heard_at_ > config_.probe_timeout) {
    return stop_listening("messages published there don't come back (probe_timeout)");
  } else {
    publish_probe();
  }
  probe_later();
}

void Link::publish_probe() {
  Command command{.args = {config_.mode == "cluster" ? "SPUBLISH" : "PUBLISH", probe_, "?"}};
  send(command, false, [weak = weak_from_this()](const Answer& answer) {
    const auto self = weak.lock();
    if (!self || answer.ok() || answer.reply.error_code() != "NOPERM") return;
    self->stop_listening(explain(answer.reply, self->config_.user));
  });
}

}  // namespace peal::redis
