#include "redis/stream_reader.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <random>

#include "peal/proto/channel_name.hpp"

namespace peal::monitor {
namespace {

using redis::Reply;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A read waits so long, so the lease is renewed as often while nothing comes.
constexpr const char* kReadForText = "1000";
constexpr const char* kLeaseMs = "10000";
constexpr milliseconds kAgainAfter{500};
/// While entries come all the time, too.
constexpr milliseconds kLookEvery{5000};

/// KEYS[1] the state; ARGV the token, the lease's milliseconds. Answers the state where the lease
/// is ours now, else nothing. The lease is a field and a time, so one key is enough.
constexpr const char* kLeaseScript = R"(
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local holder = redis.call('HMGET', KEYS[1], 'holder', 'until')
if holder[1] and holder[1] ~= ARGV[1] and tonumber(holder[2]) > now then return false end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', now + ARGV[2])
return redis.call('HMGET', KEYS[1], 'cursor', 'ordinal', 'generation')
)";
/// ARGV: also the cursor, the ordinal, the generation. Answers 1 where the lease was still ours.
constexpr const char* kSaveScript = R"(
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2], 'cursor', ARGV[3], 'ordinal', ARGV[4],
           'generation', ARGV[5])
return 1
)";

/// KEYS[1] the stream; ARGV a cursor. Answers the last id, how many entries were ever added, how
/// many are there, and whether any of them is behind the cursor. A stream that is not there is
/// empty.
constexpr const char* kLookScript = R"(
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', 0, 0, 0} end
local info, found = redis.call('XINFO', 'STREAM', KEYS[1]), {}
for i = 1, #info, 2 do found[info[i]] = info[i + 1] end
local behind = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)
return {found['last-generated-id'], found['entries-added'] or 0, found['length'], #behind}
)";

std::string random_token() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

StreamReader::StreamReader(boost::asio::io_context& context, const RedisMonitorConfig& config,
                           StreamRule rule, const runtime::Logger& logger, MonitorProbe& probe)
    : config_(config),
      rule_(std::move(rule)),
      logger_(logger.with("stream " + rule_.stream())),
      probe_(probe),
      client_(context, config.redis, *this, logger.with("redis")),
      timer_(context),
      publisher_("", config.under_way_bytes_max, *this),
      state_key_(config.redis.prefix + "{" + std::to_string(stable_hash(rule_.stream())) +
                 "}:" + config.name + ":" + rule_.stream()),
      token_(random_token()) {}

void StreamReader::publish_over(bus::BusPort& port) {
  port_ = &port;
  publisher_.attach(port);
}

void StreamReader::on_connected(const redis::Node&) {
  if (connected_) return;
  connected_ = true;
  trouble_.clear();
  lease();
}

void StreamReader::on_disconnected(const redis::Node& node, std::string_view reason) {
  connected_ = false;
  trouble_ = node.address + ": " + std::string(reason);
}

/// Every answer is of its round: what was asked before something went wrong says nothing any more.
void StreamReader::ask(std::vector<std::string> args, void (StreamReader::*then)(const Reply&)) {
  redis::Command command;
  const bool script = args.front() == "EVAL";
  command.key = script ? args[3] : rule_.stream();
  command.args = std::move(args);
  client_.command(std::move(command), [this, then, round = round_](const redis::Answer& answer) {
    if (round != round_) return;
    if (!answer.ok()) return again(answer.error);
    (this->*then)(answer.reply);
  });
}

/// From anywhere back to the lease, after a pause.
void StreamReader::again(const std::string& why) {
  if (trouble_ != why) logger_.warn("can't read", {{"reason", why}});
  trouble_ = why;
  later();
}

void StreamReader::later() {
  ++round_;
  step_ = Step::leasing;
  timer_.expires_after(kAgainAfter);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error && connected_) lease();
    if (!error && !connected_) step_ = Step::away;
  });
}

void StreamReader::lease() {
  // What is under way is of the last round; its sequences are what they are.
  if (stopping_ || publisher_.pending() != 0) return later();
  step_ = Step::leasing;
  ask({"EVAL", kLeaseScript, "1", state_key_, token_, kLeaseMs}, &StreamReader::on_lease);
}

void StreamReader::on_lease(const Reply& reply) {
  if (!reply.is_array()) return later();  // somebody else has it
  if (reply.elements.size() != 3) return again("an odd answer");
  first_ = reply.elements[0].is_nil();
  cursor_ = Sequence::parse(reply.elements[0].text).value_or(Sequence{});
  ordinal_ = number_of(reply.elements[1].text);
  generation_ = number_of(reply.elements[2].text);
  publisher_.rename(source());
  logger_.info("active", {{"source", source()}, {"cursor", cursor_.to_string()}});
  look();
}

void StreamReader::look() {
  step_ = Step::looking;
  looked_ = Clock::now();
  ask({"EVAL", kLookScript, "1", rule_.stream(), cursor_.to_string()}, &StreamReader::on_look);
}

void StreamReader::on_look(const Reply& reply) {
  if (!reply.is_array() || reply.elements.size() != 4) return again("an odd answer");
  const Sequence top = Sequence::parse(reply.elements[0].text).value_or(Sequence{});
  const auto number = [&](std::size_t at) {
    return static_cast<std::uint64_t>(reply.elements[at].integer);
  };
  const std::uint64_t added = number(1);
  lag_ = added - std::min(added, ordinal_);
  const std::uint64_t gone = added - std::min(added, number(2));
  const bool more = number(3) != 0;
  if (first_) {
    first_ = false;
    cursor_ = rule_.from_start() ? Sequence{} : top;
    ordinal_ = rule_.from_start() ? gone : added;
    return save();
  }
  if (top < cursor_) {
    ++generation_;
    publisher_.rename(source());
    cursor_ = {};
    return begin_anew("the stream was made anew", gone);
  }
  if (!more && added > ordinal_) {
    cursor_ = top;
    return begin_anew("entries were removed before they were read", added);
  }
  // Of a Redis before 7, which does not count, nothing is known of this.
  if (!more && added < ordinal_) ordinal_ = added;
  read();
}

void StreamReader::begin_anew(const std::string& why, std::uint64_t ordinal) {
  logger_.warn("entries were missed", {{"reason", why}});
  ordinal_ = ordinal;
  step_ = Step::publishing;
  // Between the entry at the cursor and the next one.
  publish(rule_.reset(why), {cursor_.major, 2 * cursor_.minor + 1});
  turn();
}

std::string StreamReader::source() const {
  return "redis-stream:" + config_.name + ":" + rule_.stream() + ":" + std::to_string(generation_);
}

void StreamReader::read() {
  if (stopping_) return later();
  step_ = Step::reading;
  ask({"XREAD", "COUNT", std::to_string(config_.batch_entries_max), "BLOCK", kReadForText,
       "STREAMS", rule_.stream(), cursor_.to_string()},
      &StreamReader::on_read);
}

void StreamReader::on_read(const Reply& reply) {
  const auto entries = entries_of(reply);
  if (!entries) return again(entries.error().message);
  if (entries->empty()) return save();
  probe_.took(entries->size());
  for (const StreamEntry& entry : *entries) {
    auto ring = rule_.ring(entry, reader_);
    if (ring) {
      // Twice the number, so that a reset has room behind it.
      publish(std::move(*ring), {entry.sequence.major, 2 * entry.sequence.minor});
    } else {
      probe_.rang_nowhere();
      logger_.warn("an entry has no channel", {{"id", entry.id}, {"reason", ring.error().message}});
    }
  }
  cursor_ = entries->back().sequence;
  ordinal_ += entries->size();
  step_ = Step::publishing;
  turn();
}

void StreamReader::publish(Ring ring, Sequence sequence) {
  publisher_.publish({std::move(ring), 0, sequence});
}

void StreamReader::on_done(const Done& done) {
  if (!done.error) return;
  probe_.rejected();
  logger_.error("an entry can't be published and is left out", {{"reason", done.error->message}});
}

void StreamReader::turn() {
  publisher_.send(Clock::now());
  while (port_->turn())
    publisher_.send(Clock::now());
  if (step_ == Step::publishing && publisher_.pending() == 0) save();
}

void StreamReader::save() {
  const bool was_idle = step_ == Step::reading;
  step_ = Step::saving;
  ask({"EVAL", kSaveScript, "1", state_key_, token_, stopping_ ? "0" : kLeaseMs,
       cursor_.to_string(), std::to_string(ordinal_), std::to_string(generation_)},
      was_idle ? &StreamReader::on_idle_save : &StreamReader::on_save);
}

void StreamReader::on_save(const Reply& reply) {
  if (reply.integer != 1) return later();  // the lease is somebody else's
  trouble_.clear();
  Clock::now() - looked_ < kLookEvery ? read() : look();
}

/// Nothing came for a while: a time to see whether something is missing.
void StreamReader::on_idle_save(const Reply& reply) {
  if (reply.integer != 1) return later();
  look();
}

/// An entry's id begins with the time at which it was added.
std::uint64_t StreamReader::lag_ms() const {
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto now_ms = static_cast<std::uint64_t>(now.count());
  return lag_ == 0 ? 0 : now_ms - std::min(now_ms, cursor_.major);
}

void StreamReader::stop() {
  stopping_ = true;
}

bool StreamReader::stopped() const {
  return !active() && publisher_.pending() == 0;
}

}  // namespace peal::monitor
