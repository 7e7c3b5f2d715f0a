#include "redis/keyspace_reader.hpp"

#include <utility>

namespace peal::monitor {
namespace {

using redis::Reply;

constexpr std::size_t kFetchingMax = 64;
/// What an event that waits takes besides its texts.
constexpr std::size_t kHappenedBytes = 128;

/// KEYS[1] the key; ARGV bytes and elements of the largest value that is fetched. Answers its type,
/// and its value unless that is too large or of a type that isn't fetched.
constexpr const char* kFetchScript = R"(
local key, kind = KEYS[1], redis.call('TYPE', KEYS[1]).ok
local counts = {string = 'STRLEN', hash = 'HLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD'}
if not counts[kind] then return {kind} end
local max = tonumber(kind == 'string' and ARGV[1] or ARGV[2])
if redis.call(counts[kind], key) > max then return {kind} end
if kind == 'string' then return {kind, redis.call('GET', key)} end
local value
if kind == 'hash' then value = redis.call('HGETALL', key) end
if kind == 'list' then value = redis.call('LRANGE', key, 0, -1) end
if kind == 'set' then value = redis.call('SMEMBERS', key) end
if kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
local bytes = 0
for i = 1, #value do bytes = bytes + #value[i] end
if bytes > tonumber(ARGV[1]) then return {kind} end
return {kind, value}
)";

const std::vector<std::string>& setting_question() {
  static const std::vector<std::string> question{"CONFIG", "GET", "notify-keyspace-events"};
  return question;
}

}  // namespace

KeyspaceReader::KeyspaceReader(const ReaderParts& parts)
    : TopicReader(parts, "keyspace"),
      topic_("__keyspace@" + std::to_string(parts.config.redis.database) + "__:") {
  for (const KeyspaceConfig& config : parts.config.keyspace) {
    rules_.push_back(*KeyspaceRule::compile(config));
    events_.insert(events_.end(), config.events.begin(), config.events.end());
    listen({.name = topic_ + config.pattern, .pattern = true, .everywhere = true},
           rules_.back().messages());
  }
}

std::vector<std::vector<std::string>> KeyspaceReader::setup(const redis::Node&) {
  return {setting_question()};
}

std::string KeyspaceReader::judge_setup(const redis::Node&, const std::vector<Reply>& replies) {
  return judge(replies.front());
}

/// A server that doesn't tell its settings may be set rightly.
std::string KeyspaceReader::judge(const Reply& setting) {
  if (setting.is_array() && setting.elements.size() == 2)
    return missing_of(setting.elements[1].text, events_);
  if (!std::exchange(unchecked_said_, true)) {
    logger_.warn("whether notify-keyspace-events is set can't be seen",
                 {{"reason", setting.is_error() ? setting.text : "it is not told"}});
  }
  return {};
}

void KeyspaceReader::check(const std::function<void()>& go) {
  redis::Command command;
  command.args = setting_question();
  ask(
      std::move(command),
      [this, go](const Reply& reply) {
        const std::string missing = judge(reply);
        missing.empty() ? go() : again(missing);
      },
      [this, go](const redis::Answer& answer) {
        if (!answer.reply.is_error()) return again(answer.error);
        judge(answer.reply);
        go();
      });
}

void KeyspaceReader::forget() {
  happened_.clear();
  held_bytes_ = 0;
  fetching_ = 0;
}

void KeyspaceReader::hear(std::size_t number, std::string_view channel, std::string_view payload) {
  if (!channel.starts_with(topic_) || !rules_[number].wants(payload)) return;
  happened_.push_back({number, std::string(channel.substr(topic_.size())), std::string(payload)});
  held_bytes_ += channel.size() + kHappenedBytes;
  fetch();
}

void KeyspaceReader::fetch() {
  while (fetching_ < kFetchingMax && !happened_.empty() &&
         publisher_.pending_bytes() < config_.held_bytes_max / 2) {
    Happened next = std::move(happened_.front());
    happened_.pop_front();
    held_bytes_ -= topic_.size() + next.key.size() + kHappenedBytes;
    ++fetching_;
    auto command = script(kFetchScript, {next.key},
                          {std::to_string(config_.limits.message_bytes_max),
                           std::to_string(config_.value_elements_max)});
    const auto fetched = [this, next = std::move(next)](const redis::Answer& answer) {
      on_fetched(next, answer);
    };
    ask(
        std::move(command),
        [fetched](const Reply& reply) {
          fetched({.outcome = redis::Outcome::replied, .reply = reply});
        },
        fetched);
  }
}

void KeyspaceReader::on_fetched(const Happened& what, const redis::Answer& answer) {
  // Without an answer nobody knows what became of the key: a new session says so.
  if (!answer.ok() && !answer.reply.is_error()) return again(answer.error);
  --fetching_;
  if (answer.ok()) {
    auto value = value_of(answer.reply, reader_);
    publish_next(value ? rules_[what.rule].ring(what.key, what.event, *value, reader_)
                       : Result<Ring>(value.error()));
  } else {
    publish_next(fail(ErrorCode::permission_denied, what.key + ": " + answer.error));
  }
  fetch();
}

}  // namespace peal::monitor
