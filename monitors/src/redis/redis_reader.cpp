#include "redis/redis_reader.hpp"

#include <boost/asio/io_context.hpp>
#include <random>

namespace peal::monitor {
namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

constexpr const char* kLeaseMs = "10000";
constexpr std::chrono::milliseconds kAgainAfter{500};
constexpr std::chrono::milliseconds kMeasureEvery{5000};

/// KEYS[1] the state; ARGV the token, the lease's milliseconds, fields. Answers those where the
/// lease is ours now, else nothing.
constexpr const char* kLeaseScript = R"(
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local holder = redis.call('HMGET', KEYS[1], 'holder', 'until')
if holder[1] and holder[1] ~= ARGV[1] and tonumber(holder[2]) > now then return false end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', now + ARGV[2])
return redis.call('HMGET', KEYS[1], unpack(ARGV, 3))
)";

std::string random_token() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

}  // namespace

RedisReader::RedisReader(const ReaderParts& parts, const std::string& what, std::string state_key,
                         std::vector<std::string> fields)
    : config_(parts.config),
      logger_(parts.logger.with(what)),
      probe_(parts.probe),
      client_(parts.context, parts.config.redis, *this, parts.logger.with("redis")),
      publisher_("", parts.config.under_way_bytes_max, *this),
      state_key_(std::move(state_key)),
      token_(random_token()),
      fields_(std::move(fields)),
      timer_(parts.context),
      watch_(parts.config.waiting_warn, logger_) {}

void RedisReader::publish_over(bus::BusPort& port) {
  port_ = &port;
  publisher_.attach(port);
}

void RedisReader::on_connected(const redis::Node& node) {
  if (!nodes_.insert(node.address).second || nodes_.size() > 1) return;
  trouble_.clear();
  if (phase_ == Phase::away) lease();
}

void RedisReader::on_disconnected(const redis::Node& node, std::string_view reason) {
  nodes_.erase(node.address);
  trouble_ = node.address + ": " + std::string(reason);
}

redis::Command RedisReader::script(const char* text, const std::vector<std::string>& keys,
                                   std::vector<std::string> args) {
  redis::Command command;
  command.key = keys.front();
  command.args = {"EVAL", text, std::to_string(keys.size())};
  command.args.insert(command.args.end(), keys.begin(), keys.end());
  for (std::string& arg : args)
    command.args.push_back(std::move(arg));
  return command;
}

void RedisReader::ask(redis::Command command, Then then,
                      std::function<void(const redis::Answer&)> otherwise) {
  client_.command(std::move(command),
                  [this, then = std::move(then), otherwise = std::move(otherwise),
                   round = round_](const redis::Answer& answer) {
                    if (round != round_) return;
                    if (answer.ok()) return then(answer.reply);
                    otherwise ? otherwise(answer) : again(answer.error);
                  });
}

void RedisReader::ask_aside(redis::Command command, Then then) {
  client_.command(std::move(command), [then = std::move(then)](const redis::Answer& answer) {
    if (answer.ok()) then(answer.reply);
  });
}

std::string RedisReader::trouble() const {
  if (connected() || stopping_) return trouble_;
  const std::string unreached = client_.trouble();
  return unreached.empty() ? trouble_ : unreached;
}

void RedisReader::again(const std::string& why) {
  if (trouble_ != why) logger_.warn("can't read", {{"reason", why}});
  trouble_ = why;
  client_.recheck();
  later();
}

void RedisReader::later() {
  ++round_;
  phase_ = Phase::leasing;
  timer_.expires_after(kAgainAfter);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    if (connected()) return lease();
    phase_ = Phase::away;
  });
}

void RedisReader::lease() {
  // What is under way is of the last round; its sequences are what they are.
  if (stopping_ || publisher_.pending() != 0) return later();
  phase_ = Phase::leasing;
  std::vector<std::string> args{token_, kLeaseMs};
  args.insert(args.end(), fields_.begin(), fields_.end());
  ask(script(kLeaseScript, {state_key_}, std::move(args)),
      [this](const Reply& reply) { on_lease(reply); });
}

void RedisReader::on_lease(const Reply& reply) {
  if (!reply.is_array()) {  // somebody else has it
    watch_.forget();
    on_standby();
    return later();
  }
  if (reply.elements.size() != fields_.size()) return again("an odd answer");
  phase_ = Phase::active;
  on_leased(reply.elements);
}

std::string RedisReader::lease_ms() const {
  return stopping_ ? "0" : kLeaseMs;
}

void RedisReader::publish(Ring ring, Sequence sequence, std::uint64_t ticket) {
  publisher_.publish({std::move(ring), ticket, sequence});
}

void RedisReader::on_done(const Done& done) {
  if (!done.error) return;
  probe_.rejected();
  on_impossible(done.ticket, *done.error);
}

void RedisReader::on_impossible(std::uint64_t, const Error& error) {
  logger_.error("it can't be published and is left out", {{"reason", error.message}});
}

void RedisReader::turn() {
  publisher_.send(Clock::now());
  while (port_->turn())
    publisher_.send(Clock::now());
  if (active()) on_turned();
  measure_when_due();
}

void RedisReader::measure_when_due() {
  if (!connected() || (!active() && all_published())) return;
  if (Clock::now() - measured_ < kMeasureEvery || measured_key().empty()) return;
  measured_ = Clock::now();
  measure();
  redis::Command command;
  command.key = measured_key();
  command.args = {"INFO", "memory"};
  ask_aside(std::move(command), [this](const Reply& reply) {
    watch_.remembered(RedisMemory::parse(reply.text), Clock::now());
  });
}

}  // namespace peal::monitor
