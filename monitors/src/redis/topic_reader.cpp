#include "redis/topic_reader.hpp"

#include <charconv>

namespace peal::monitor {
namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRenewEvery{2000};
constexpr std::chrono::seconds kUnmappedSaidEvery{60};
/// Those of what was said are its rule's number.
constexpr std::uint64_t kResetTicket = ~std::uint64_t{0};

/// KEYS[1] the state; ARGV the token. Answers the new session's number, or 0 where the lease is not
/// ours.
constexpr const char* kBeginScript = R"(
local time = redis.call('TIME')
local state = redis.call('HMGET', KEYS[1], 'holder', 'session')
if state[1] ~= ARGV[1] then return 0 end
local session = math.max(tonumber(state[2] or 0) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'session', string.format('%.0f', session))
return string.format('%.0f', session)
)";
/// KEYS[1] the state; ARGV the token, the lease's milliseconds. Answers 1 where the lease was ours.
constexpr const char* kRenewScript = R"(
local time = redis.call('TIME')
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
return 1
)";

}  // namespace

TopicReader::TopicReader(const ReaderParts& parts, std::string what)
    : RedisReader(parts, what, parts.config.redis.prefix + "{" + parts.config.name + "}:" + what,
                  {"session"}),
      what_(std::move(what)) {}

void TopicReader::listen(redis::Topic topic, MessageRule rule) {
  topics_[topic].push_back(rules_.size());
  rules_.push_back({std::move(rule)});
  client_.listen(std::move(topic), *this);
}

void TopicReader::on_leased(const std::vector<Reply>&) {
  begun_ = false;
  renewing_ = false;
  publisher_.rename("redis-" + what_ + ":" + config_.name);
  check([this] {
    ask(script(kBeginScript, {state_key_}, {token_}), [this](const Reply& reply) { begin(reply); });
  });
}

void TopicReader::begin(const Reply& reply) {
  if (!reply.is_text()) return later();  // the lease is somebody else's
  sequence_ = {};
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), sequence_.major);
  begun_ = true;
  renewed_ = Clock::now();
  forget();
  all_is_well();
  logger_.info("active", {{"session", sequence_.major}});
  for (Rule& each : rules_)
    each.missed = {};
  for (const auto& [topic, masters] : heard_)
    reset(topic, "listening began");
  turn();
}

/// A server that comes back may have forgotten whose the lease was: nothing is published before it
/// is asked for again.
void TopicReader::on_disconnected(const redis::Node& node, std::string_view reason) {
  RedisReader::on_disconnected(node, reason);
  if (active()) later();
}

void TopicReader::on_listening(const redis::Topic& topic) {
  ++heard_[topic];
  if (active() && begun_) reset(topic, "listening began");
}

void TopicReader::on_deaf(const redis::Topic& topic) {
  const auto found = heard_.find(topic);
  if (found != heard_.end() && --found->second == 0) heard_.erase(found);
}

void TopicReader::reset(const redis::Topic& topic, std::string_view why) {
  for (const std::size_t rule : topics_[topic])
    reset(rule, why);
}

void TopicReader::reset(std::size_t rule, std::string_view why) {
  rules_[rule].missed = {};
  publish_next(rules_[rule].rule.reset(what_, why), kResetTicket);
}

void TopicReader::on_heard(const redis::Topic& topic, std::string_view channel,
                           std::string_view payload) {
  if (!active() || !begun_) return;
  for (const std::size_t number : topics_[topic]) {
    Rule& each = rules_[number];
    if (publisher_.pending_bytes() + held_bytes() + payload.size() > config_.held_bytes_max) {
      if (each.missed.empty())
        logger_.warn("more is said than is taken", {{"rule", each.rule.name()}});
      each.missed = "more was said than could be held";
    }
    if (!each.missed.empty()) continue;
    probe_.took(1);
    hear(number, channel, payload);
  }
}

void TopicReader::publish_next(std::size_t rule, Result<Ring> ring) {
  if (!ring) {
    probe_.rang_nowhere();
    if (Clock::now() - unmapped_said_ < kUnmappedSaidEvery) return;
    unmapped_said_ = Clock::now();
    logger_.warn("what was said rings nowhere", {{"reason", ring.error().message}});
    return;
  }
  publish_next(std::move(*ring), rule);
}

void TopicReader::publish_next(Ring ring, std::uint64_t ticket) {
  ++sequence_.minor;
  publish(std::move(ring), sequence_, ticket);
}

void TopicReader::on_impossible(std::uint64_t ticket, const Error& error) {
  RedisReader::on_impossible(ticket, error);
  // Of a reset nobody can be told.
  if (ticket != kResetTicket) rules_[ticket].missed = "what was said could not be published";
}

Waiting TopicReader::waiting() const {
  return {publisher_.pending() + held(), publisher_.pending_bytes() + held_bytes()};
}

void TopicReader::on_turned() {
  if (!begun_) return;
  go_on();
  if (publisher_.pending_bytes() + held_bytes() <= config_.held_bytes_max / 2) {
    for (std::size_t number = 0; number < rules_.size(); ++number) {
      if (const auto why = rules_[number].missed; !why.empty()) reset(number, why);
    }
  }
  const bool due = stopping() ? all_published() : Clock::now() - renewed_ >= kRenewEvery;
  if (due && !renewing_) renew();
}

void TopicReader::renew() {
  renewing_ = true;
  check([this] {
    ask(script(kRenewScript, {state_key_}, {token_, lease_ms()}), [this](const Reply& reply) {
      if (reply.integer != 1 || stopping()) return later();
      renewing_ = false;
      renewed_ = Clock::now();
      all_is_well();
    });
  });
}

}  // namespace peal::monitor
