#include "redis_store/redis_thread.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "redis_store/presence_script.hpp"

namespace peal::redis_store {
namespace {

using redis::Answer;
using redis::Reply;

/// CONFIG GET's value, or nothing where that isn't allowed.
std::string_view value_of(const Reply& reply) {
  const bool pair = reply.is_array() && reply.elements.size() == 2;
  return pair ? std::string_view(reply.elements[1].text) : std::string_view();
}

}  // namespace

RedisThread::RedisThread(const broker::RedisStoreConfig& config, const runtime::Logger& logger)
    : config_(config),
      logger_(logger.with("store")),
      keys_(config.client.prefix, config.partitions),
      client_(context_, config.client, *this, logger.with("redis")),
      timer_(context_) {
  boost::asio::post(context_, [this] {
    client_.start();
    beat();
  });
  thread_ = std::thread([this] {
    const auto work = boost::asio::make_work_guard(context_);
    context_.run();
  });
}

RedisThread::~RedisThread() {
  boost::asio::post(context_, [this] {
    timer_.cancel();
    if (const auto queries = this->queries()) queries->stop();
    client_.stop();
    boost::asio::post(context_, [this] { context_.stop(); });
  });
  thread_.join();
}

std::shared_ptr<SeatLink> RedisThread::attach(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  auto seat = std::make_shared<SeatLink>(
      std::move(wake),
      [this] {
        if (serving_.exchange(true)) return;
        boost::asio::post(context_, [this] { serve(); });
      },
      seats_.empty());
  seats_.push_back(seat);
  return seat;
}

std::shared_ptr<RedisQueries> RedisThread::relay(std::string name, const Limits& limits) {
  auto queries = std::make_shared<RedisQueries>(context_, client_, keys_.cluster_route(),
                                                std::move(name), limits);
  {
    const std::lock_guard lock(mutex_);
    queries_ = queries;
  }
  queries->start();
  return queries;
}

std::shared_ptr<RedisQueries> RedisThread::queries() const {
  const std::lock_guard lock(mutex_);
  return queries_;
}

std::string RedisThread::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void RedisThread::look_for_trouble() {
  std::string trouble = client_.trouble();
  say(trouble.empty() ? why_not_usable_ : std::move(trouble));
}

void RedisThread::on_turn() {
  if (troubled_) look_for_trouble();
}

void RedisThread::say(std::string trouble) {
  troubled_ = !trouble.empty();
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(trouble);
}

std::vector<std::vector<std::string>> RedisThread::setup(const redis::Node&) {
  return {{"SCRIPT", "LOAD", std::string(log_script())},
          {"SCRIPT", "LOAD", std::string(presence_script())},
          {"CONFIG", "GET", "appendonly"},
          {"CONFIG", "GET", "appendfsync"}};
}

std::string RedisThread::judge_setup(const redis::Node& node, const std::vector<Reply>& replies) {
  if (replies.size() != 4) return "it answered the setup with something else";
  for (const Reply& loaded : {replies[0], replies[1]})
    if (!loaded.is_text()) return "a script of Peal's can't be loaded: " + loaded.text;
  sha_ = replies[0].text;
  presence_sha_ = replies[1].text;
  keeps_[node.address] = value_of(replies[2]) == "yes" && value_of(replies[3]) == "always";
  all_keep_ = std::ranges::all_of(keeps_, [](const auto& one) { return one.second; });
  return {};
}

void RedisThread::on_connected(const redis::Node&) {
  ask_layout();
}

void RedisThread::on_disconnected(const redis::Node& node, std::string_view reason) {
  keeps_.erase(node.address);
  say(node.address + ": " + std::string(reason));
}

/// Who is first writes how many partitions there are; everybody then reads it.
void RedisThread::ask_layout() {
  const std::string key = keys_.layout_key();
  client_.command({.args = {"SETNX", key, std::to_string(config_.partitions)}, .key = key},
                  [](const Answer&) {});
  client_.command({.args = {"GET", key}, .key = key},
                  [this](const Answer& answer) { on_layout(answer); });
}

void RedisThread::on_layout(const Answer& answer) {
  const bool before = usable_;
  const std::string why_before = why_not_usable_;
  const std::string wanted = std::to_string(config_.partitions);
  if (!answer.ok() || !answer.reply.is_text()) {
    usable_ = false;
    why_not_usable_ = answer.ok() ? "its layout can't be written: is it a replica?" : answer.error;
  } else if (answer.reply.text != wanted) {
    usable_ = false;
    why_not_usable_ = "this Redis was laid out with redis.partitions = " + answer.reply.text +
                      ", and here it is " + wanted + " (" + keys_.layout_key() + ")";
  } else {
    usable_ = true;
    why_not_usable_.clear();
  }
  if (!usable_ && why_before != why_not_usable_) {
    logger_.error("this Redis can't be used", {{"reason", why_not_usable_}});
  }
  if (usable_ && !before) logger_.info("open", {{"partitions", config_.partitions}});
  look_for_trouble();
}

bool RedisThread::tell(Came::What what, std::string_view channel, std::string_view payload) {
  const auto found = listeners_.find(std::string(channel));
  if (found == listeners_.end()) return false;
  found->second.seat->tell({.what = what,
                            .ticket = found->second.ticket,
                            .channel = found->first,
                            .payload = std::string(payload)});
  return true;
}

void RedisThread::on_subscribed(std::string_view channel) {
  if (tell(Came::What::subscribed, channel)) return;
  if (const auto queries = this->queries()) queries->on_subscribed(channel);
}

void RedisThread::on_broken(std::string_view channel) {
  if (tell(Came::What::broken, channel)) return;
  if (const auto queries = this->queries()) queries->on_broken(channel);
}

void RedisThread::on_message(std::string_view channel, std::string_view payload) {
  if (tell(Came::What::message, channel, payload)) return;
  if (const auto queries = this->queries()) queries->on_message(channel, payload);
}

void RedisThread::serve() {
  serving_ = false;
  std::vector<std::shared_ptr<SeatLink>> seats;
  {
    const std::lock_guard lock(mutex_);
    seats = seats_;
  }
  for (const auto& seat : seats)
    serve(seat);
}

void RedisThread::serve(const std::shared_ptr<SeatLink>& seat) {
  seat->take(asked_);
  for (Asked& asked : asked_) {
    switch (asked.what) {
      case Asked::What::subscribe: {
        const std::string on = keys_.told_on(asked.channel);
        listeners_[on] = {seat, asked.ticket};
        client_.subscribe(on);
        break;
      }
      case Asked::What::unsubscribe: {
        const std::string on = keys_.told_on(asked.channel);
        client_.unsubscribe(on);
        listeners_.erase(on);
        break;
      }
      case Asked::What::call:
      case Asked::What::presence:
      case Asked::What::publish:
        call(seat, std::move(asked));
        break;
    }
  }
}

void RedisThread::call(const std::shared_ptr<SeatLink>& seat, Asked asked) {
  if (!usable_) {
    Answer answer{.outcome = redis::Outcome::refused, .error = why_not_usable_};
    return seat->tell(
        {.what = Came::What::answer, .ticket = asked.ticket, .answer = std::move(answer)});
  }
  redis::Command command{.args = std::move(asked.args),
                         .key = asked.route.empty() ? keys_.route(asked.channel) : asked.route};
  if (asked.what == Asked::What::presence) command.args[kShaAt] = presence_sha_;
  if (asked.what == Asked::What::call) {
    command.args[kShaAt] = sha_;
    command.args[kKeepsAt] = all_keep_ ? "1" : "0";
    command.mastership_at = kMastershipAt;
  }
  if (asked.replicated && config_.wait_replicas > 0) {
    command.wait_replicas = config_.wait_replicas;
    command.wait_timeout = config_.wait_timeout;
  }
  const std::string route = command.key;
  client_.command(std::move(command), [this, seat, ticket = asked.ticket, route](Answer answer) {
    on_answer(seat, ticket, route, std::move(answer));
  });
}

/// Scripts that Redis has lost are loaded again, for the next call.
void RedisThread::on_answer(const std::shared_ptr<SeatLink>& seat, std::uint64_t ticket,
                            const std::string& route, Answer answer) {
  const std::string_view code = answer.reply.error_code();
  if (code == "NOSCRIPT") {
    for (const std::string_view script : {log_script(), presence_script()})
      client_.command({.args = {"SCRIPT", "LOAD", std::string(script)}, .key = route},
                      [](const Answer&) {});
  } else if (code == "STALEMASTER") {
    client_.recheck();
  }
  seat->tell({.what = Came::What::answer, .ticket = ticket, .answer = std::move(answer)});
}

void RedisThread::beat() {
  timer_.expires_after(kBeat);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
  look_for_trouble();
  if (!usable_ && client_.trouble().empty()) ask_layout();
  if (const auto queries = this->queries()) queries->beat();
  std::vector<std::shared_ptr<SeatLink>> seats;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(seats_, [](const auto& seat) { return seat->detached(); });
    seats = seats_;
  }
  for (const auto& seat : seats)
    seat->tell({.what = Came::What::beat});
}

}  // namespace peal::redis_store
