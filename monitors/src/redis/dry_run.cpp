#include "redis/dry_run.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <deque>
#include <functional>
#include <map>
#include <ostream>
#include <utility>
#include <vector>

#include "mapping/ring_line.hpp"
#include "peal/redis/client.hpp"
#include "redis/keyspace_rule.hpp"
#include "redis/list_rule.hpp"
#include "redis/listen_reader.hpp"
#include "redis/stream_rule.hpp"

namespace peal::monitor {
namespace {

using redis::Reply;
using Then = std::function<void(const Reply&)>;

/// Reads once what waits, source by source, then listens. One thread, that of its io_context.
class DryRun final : private redis::ClientOwner, private redis::TopicOwner {
 public:
  DryRun(const RedisMonitorConfig& config, std::ostream& out, std::ostream& err)
      : config_(config),
        out_(out),
        err_(err),
        client_(context_, config.redis, *this, {}),
        timer_(context_),
        signals_(context_, SIGINT, SIGTERM) {}

  int run();

 private:
  std::vector<std::vector<std::string>> setup(const redis::Node&) override;
  std::string judge_setup(const redis::Node&, const std::vector<Reply>& replies) override;
  void on_connected(const redis::Node&) override;
  void on_disconnected(const redis::Node& node, std::string_view reason) override;
  void on_subscribed(std::string_view) override {}
  void on_broken(std::string_view) override {}
  void on_message(std::string_view, std::string_view) override {}
  void on_turn() override {}
  void on_listening(const redis::Topic&) override {}
  void on_deaf(const redis::Topic&) override {}
  void on_heard(const redis::Topic& topic, std::string_view channel,
                std::string_view payload) override;

  bool listens() const { return !config_.listens.empty() || !config_.keyspace.empty(); }
  void listen();
  void plan();
  void next();
  void read_stream(const StreamRule& rule);
  void read_entries(const StreamRule& rule, const std::string& cursor);
  void read_list(const ListRule& rule);
  void fetch(const KeyspaceRule& rule, std::string key, std::string event);
  void ask(std::string key, std::vector<std::string> args, Then then);
  void print(const Result<Ring>& ring);
  void end(const std::string& why);

  using Heard = std::function<void(std::string_view channel, std::string_view payload)>;

  const RedisMonitorConfig& config_;
  std::ostream& out_;
  std::ostream& err_;
  boost::asio::io_context context_;
  redis::Client client_;
  boost::asio::steady_timer timer_;
  boost::asio::signal_set signals_;
  JsonReader reader_;
  std::multimap<redis::Topic, Heard> heard_;
  std::vector<std::string> events_;
  std::deque<std::function<void()>> steps_;
  bool connected_ = false;
  bool failed_ = false;
};

int DryRun::run() {
  plan();
  listen();
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (!error) end({});
  });
  timer_.expires_after(config_.redis.connect_timeout);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error && !connected_) end(client_.trouble());
  });
  client_.start();
  context_.run();
  return failed_ ? 1 : 0;
}

void DryRun::end(const std::string& why) {
  if (!why.empty()) err_ << why << '\n';
  failed_ = !why.empty();
  client_.stop();
  context_.stop();
}

void DryRun::plan() {
  for (const StreamConfig& stream : config_.streams)
    steps_.emplace_back([this, rule = *StreamRule::compile(stream)] { read_stream(rule); });
  for (const ListConfig& list : config_.lists)
    steps_.emplace_back([this, rule = *ListRule::compile(list)] { read_list(rule); });
}

void DryRun::listen() {
  const auto add = [this](redis::Topic topic, Heard heard) {
    client_.listen(topic, *this);
    heard_.emplace(std::move(topic), std::move(heard));
  };
  for (const TopicConfig& config : config_.listens) {
    const bool pattern = !config.pattern.empty();
    add({.name = pattern ? config.pattern : config.name, .pattern = pattern},
        [this, rule = *listen_rule(config)](std::string_view channel, std::string_view payload) {
          print(listen_ring(rule, channel, payload, reader_));
        });
  }
  const std::string topic = keyspace_topic(config_.redis.database);
  for (const KeyspaceConfig& config : config_.keyspace) {
    events_.insert(events_.end(), config.events.begin(), config.events.end());
    add({.name = topic + config.pattern, .pattern = true, .everywhere = true},
        [this, topic, rule = *KeyspaceRule::compile(config)](std::string_view channel,
                                                             std::string_view event) {
          if (!rule.wants(event) || !channel.starts_with(topic)) return;
          fetch(rule, std::string(channel.substr(topic.size())), std::string(event));
        });
  }
}

std::vector<std::vector<std::string>> DryRun::setup(const redis::Node&) {
  if (config_.keyspace.empty()) return {};
  return {setting_question()};
}

std::string DryRun::judge_setup(const redis::Node&, const std::vector<Reply>& replies) {
  if (replies.empty() || replies.front().elements.size() != 2) return {};
  return missing_of(replies.front().elements[1].text, events_);
}

void DryRun::on_connected(const redis::Node&) {
  if (std::exchange(connected_, true)) return;
  next();
}

void DryRun::on_disconnected(const redis::Node& node, std::string_view reason) {
  end(node.address + ": " + std::string(reason));
}

void DryRun::next() {
  if (steps_.empty()) {
    if (!listens()) return end({});
    out_.flush();
    err_ << "listening; Ctrl-C ends it\n";
    return;
  }
  const auto step = std::move(steps_.front());
  steps_.pop_front();
  step();
}

void DryRun::ask(std::string key, std::vector<std::string> args, Then then) {
  redis::Command command;
  command.key = std::move(key);
  command.args = std::move(args);
  client_.command(std::move(command), [this, then = std::move(then)](const redis::Answer& answer) {
    answer.ok() ? then(answer.reply) : end(answer.error);
  });
}

/// Without a state it begins with all there is, or with what comes: then nothing waits.
void DryRun::read_stream(const StreamRule& rule) {
  const std::string state = stream_state_key(config_, rule.stream());
  ask(state, {"HGET", state, "cursor"}, [this, rule](const Reply& cursor) {
    if (cursor.is_nil() && !rule.from_start()) return next();
    read_entries(rule, cursor.is_nil() ? "0-0" : cursor.text);
  });
}

void DryRun::read_entries(const StreamRule& rule, const std::string& cursor) {
  ask(rule.stream(),
      {"XREAD", "COUNT", std::to_string(config_.batch_entries_max), "STREAMS", rule.stream(),
       cursor},
      [this, rule](const Reply& reply) {
        const auto entries = entries_of(reply);
        if (!entries) return end(entries.error().message);
        for (const StreamEntry& entry : *entries) {
          auto ring = rule.ring(entry, reader_);
          if (ring) rule.cut_to_size(*ring, entry, config_.limits.message_bytes_max);
          print(ring);
        }
        next();
      });
}

void DryRun::read_list(const ListRule& rule) {
  const auto last = std::to_string(config_.batch_entries_max - 1);
  const ListKeys keys = list_keys(config_.redis.prefix, config_.name, rule.list());
  ask(keys.taken, {"LRANGE", keys.taken, "0", last}, [this, rule](const Reply& taken) {
    for (const Reply& element : taken.elements)
      print(rule.ring(element.text, reader_));
    const auto count = std::to_string(config_.batch_entries_max);
    const bool left = std::string_view(rule.side()) == "LEFT";
    ask(rule.list(),
        {"LRANGE", rule.list(), left ? "0" : "-" + count,
         left ? std::to_string(config_.batch_entries_max - 1) : "-1"},
        [this, rule, left](const Reply& waiting) {
          std::vector<Reply> elements = waiting.elements;
          if (!left) std::ranges::reverse(elements);
          for (const Reply& element : elements)
            print(rule.ring(element.text, reader_));
          next();
        });
  });
}

void DryRun::fetch(const KeyspaceRule& rule, std::string key, std::string event) {
  auto args = fetch_args(key, config_);
  ask(key, std::move(args), [this, rule, key, event = std::move(event)](const Reply& reply) {
    const auto value = value_of(reply, reader_);
    if (!value) return end(value.error().message);
    print(rule.ring(key, event, *value, reader_));
  });
}

void DryRun::on_heard(const redis::Topic& topic, std::string_view channel,
                      std::string_view payload) {
  const auto [first, last] = heard_.equal_range(topic);
  for (auto at = first; at != last; ++at)
    at->second(channel, payload);
}

void DryRun::print(const Result<Ring>& ring) {
  if (ring) {
    out_ << ring_line(*ring);
  } else {
    std::string line = "{\"error\":";
    append_json_text(line, ring.error().message);
    out_ << line << "}\n";
  }
  out_.flush();
}

}  // namespace

int dry_run(const RedisMonitorConfig& config, std::ostream& out, std::ostream& err) {
  return DryRun(config, out, err).run();
}

}  // namespace peal::monitor
