#include "redis/connection.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "redis/verdict.hpp"

namespace peal::redis {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kInputBytes = 64U << 10U;

std::string in_seconds(std::chrono::milliseconds time) {
  return std::to_string(time.count() / 1000) + "." + std::to_string(time.count() % 1000 / 100) +
         " s";
}

}  // namespace

struct Connection::Timer {
  explicit Timer(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
};

Connection::Connection(asio::io_context& context, const Config& config,
                       std::shared_ptr<TlsContext> tls, Endpoint endpoint, Greeting::Kind kind,
                       ConnectionOwner& owner)
    : context_(context),
      connect_timeout_(config.connect_timeout),
      command_timeout_(config.command_timeout),
      tls_(std::move(tls)),
      endpoint_(std::move(endpoint)),
      greeting_(kind, config),
      owner_(&owner),
      timer_(std::make_unique<Timer>(context)),
      reader_(config.reply_bytes_max),
      input_(kInputBytes) {}

Connection::~Connection() = default;

void Connection::open() {
  stream_ = make_stream(context_, tls_);
  watch(Clock::now() + connect_timeout_);
  stream_->connect(endpoint_, [self = shared_from_this()](const std::string& error) {
    self->on_connected(error);
  });
}

void Connection::on_connected(const std::string& error) {
  if (phase_ == Phase::closed) return;
  if (!error.empty()) return close(error);
  begin(greeting_.commands());
  read();
  // A Sentinel without a password is greeted by nothing.
  if (first_expected_ == 0) take_first({});
}

void Connection::begin(const std::vector<std::vector<std::string>>& commands) {
  first_replies_.clear();
  first_expected_ = commands.size();
  for (const auto& command : commands)
    encode(command, unwritten_);
  flush_soon();
}

void Connection::read() {
  stream_->read(input_.data(), input_.size(),
                [self = shared_from_this()](const std::string& error, std::size_t bytes) {
                  self->on_read(error, bytes);
                });
}

void Connection::on_read(const std::string& error, std::size_t bytes) {
  if (phase_ == Phase::closed) return;
  reader_.feed({input_.data(), bytes});
  for (Reply reply; phase_ != Phase::closed && reader_.next(reply); reply = {}) {
    take(std::move(reply));
  }
  if (phase_ == Phase::closed) return;
  if (!reader_.error().empty())
    return close("it doesn't speak Redis's protocol: " + reader_.error());
  if (!error.empty()) return close(error);
  if (owner_ != nullptr) owner_->on_turn();
  if (phase_ != Phase::closed) read();
}

void Connection::take(Reply reply) {
  if (phase_ != Phase::ready) return take_first(std::move(reply));
  if (written_ > 0) return take_answer(std::move(reply));
  if (owner_ != nullptr) owner_->on_push(*this, std::move(reply));
}

void Connection::take_first(Reply reply) {
  if (first_expected_ > 0) first_replies_.push_back(std::move(reply));
  if (first_replies_.size() < first_expected_) return;
  if (phase_ == Phase::connecting) {
    std::string trouble = greeting_.judge(first_replies_);
    if (!trouble.empty()) return close(std::move(trouble));
    phase_ = Phase::setting_up;
    begin(owner_ != nullptr ? owner_->setup(*this) : std::vector<std::vector<std::string>>());
    if (first_expected_ > 0) return;
  } else if (owner_ != nullptr) {
    std::string trouble = owner_->judge_setup(*this, first_replies_);
    if (!trouble.empty()) return close(std::move(trouble));
  }
  if (phase_ == Phase::closed) return;
  phase_ = Phase::ready;
  first_replies_.clear();
  watching_ = false;  // of the time to connect
  timer_->timer.cancel();
  if (owner_ != nullptr) owner_->on_ready(*this);
}

void Connection::take_answer(Reply reply) {
  Waiting& first = waiting_.front();
  ++first.replies;
  const int place = first.request.asking ? 2 : 1;
  if (first.replies == place) {
    first.reply = std::move(reply);
  } else if (first.replies > place && reply.is_integer()) {
    first.replicas = reply.integer;
  }
  if (first.replies < place + (first.request.waits ? 1 : 0)) return;
  Waiting whole = std::move(waiting_.front());
  waiting_.pop_front();
  --written_;
  whole.request.done(answer_of(whole));
}

Answer Connection::answer_of(const Waiting& waiting) const {
  Answer answer{.outcome = Outcome::replied, .reply = waiting.reply, .replicas = waiting.replicas};
  const Verdict verdict = verdict_of(answer.reply, endpoint_.address.host);
  if (verdict.kind == Verdict::Kind::replied) return answer;
  answer.outcome = verdict.kind == Verdict::Kind::failed ? Outcome::failed : Outcome::refused;
  answer.error =
      "Redis at " + endpoint_.to_string() + ": " + explain(answer.reply, greeting_.user());
  return answer;
}

void Connection::request(Request request) {
  if (phase_ != Phase::ready) {
    asio::post(context_, [done = std::move(request.done),
                          error = "Redis at " + endpoint_.to_string() + ": " + reason_] {
      done({.outcome = Outcome::refused, .error = error});
    });
    return;
  }
  unwritten_ += request.bytes;
  request.bytes = {};
  const auto late_at = Clock::now() + command_timeout_ + request.patience;
  waiting_.push_back({.request = std::move(request), .late_at = late_at});
  watch(late_at);
  flush_soon();
}

void Connection::say(std::string_view bytes) {
  unwritten_ += bytes;
  flush_soon();
}

void Connection::flush_soon() {
  if (flush_posted_ || unwritten_.empty() || !writing_.empty()) return;
  flush_posted_ = true;
  asio::post(context_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Connection::flush() {
  if (phase_ == Phase::closed || unwritten_.empty() || !writing_.empty()) return;
  std::swap(writing_, unwritten_);
  written_ = waiting_.size();
  stream_->write(writing_.data(), writing_.size(),
                 [self = shared_from_this()](const std::string& error) {
                   self->writing_.clear();
                   if (self->phase_ == Phase::closed) return;
                   if (!error.empty()) return self->close(error);
                   self->flush();
                 });
}

/// The timer is set for the one thing that is late first; when it fires it looks for the next.
void Connection::watch(Clock::time_point until) {
  if (watching_) return;
  watching_ = true;
  timer_->timer.expires_at(until);
  timer_->timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->phase_ == Phase::closed) return;
    self->watching_ = false;
    self->on_time();
  });
}

void Connection::on_time() {
  if (phase_ != Phase::ready) {
    return close("it was not ready within " + in_seconds(connect_timeout_));
  }
  if (waiting_.empty()) return;
  if (waiting_.front().late_at > Clock::now()) return watch(waiting_.front().late_at);
  close("it didn't answer within " +
        in_seconds(command_timeout_ + waiting_.front().request.patience));
}

void Connection::close(std::string reason) {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  reason_ = std::move(reason);
  if (stream_) stream_->close();
  timer_->timer.cancel();
  asio::post(context_, [self = shared_from_this()] {
    self->end_requests();
    if (self->owner_ != nullptr) self->owner_->on_closed(*self, self->reason_);
  });
}

void Connection::abandon(std::string reason) {
  owner_ = nullptr;
  close(std::move(reason));
}

void Connection::end_requests() {
  std::deque<Waiting> ended = std::exchange(waiting_, {});
  const std::string error = "Redis at " + endpoint_.to_string() + ": " + reason_;
  for (Waiting& each : ended) {
    // Without WAIT's reply the command is done all the same, but nobody knows how widely.
    const bool answered = each.replies > (each.request.asking ? 1 : 0);
    if (answered) {
      each.request.done(answer_of(each));
    } else if (written_ > 0) {
      each.request.done({.outcome = Outcome::unknown, .error = error});
    } else {
      each.request.done({.outcome = Outcome::refused, .error = error});
    }
    if (written_ > 0) --written_;
  }
}

}  // namespace peal::redis
