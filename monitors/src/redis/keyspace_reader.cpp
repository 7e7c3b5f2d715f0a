#include "redis/keyspace_reader.hpp"

#include <utility>

namespace peal::monitor {
namespace {

using redis::Reply;

constexpr std::size_t kFetchingMax = 64;
/// What an event that waits takes besides its texts.
constexpr std::size_t kHappenedBytes = 128;

}  // namespace

KeyspaceReader::KeyspaceReader(const ReaderParts& parts)
    : TopicReader(parts, "keyspace"), topic_(keyspace_topic(parts.config.redis.database)) {
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
    redis::Command command;
    command.key = next.key;
    command.args = fetch_args(next.key, config_);
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
    publish_next(what.rule, value ? rules_[what.rule].ring(what.key, what.event, *value, reader_)
                                  : Result<Ring>(value.error()));
  } else {
    publish_next(what.rule, fail(ErrorCode::permission_denied, what.key + ": " + answer.error));
  }
  fetch();
}

}  // namespace peal::monitor
