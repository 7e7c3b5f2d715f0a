#pragma once
// A Client and its owner on one thread, for tests: it writes down what it is told, and runs its
// context until a condition holds.

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "log_capture.hpp"
#include "peal/redis/client.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::test {

class ClientRunner final : public redis::ClientOwner {
 public:
  explicit ClientRunner(redis::Config config) {
    // What a test breaks is to be noticed soon; a slow machine gets its time by run_until.
    config.reconnect_min = std::chrono::milliseconds(20);
    config.reconnect_max = std::chrono::milliseconds(200);
    checked = redis::complete(config);
    client =
        std::make_unique<redis::Client>(context, config, *this, runtime::Logger(capture, "redis"));
    client->start();
  }
  ~ClientRunner() override { client.reset(); }

  bool run_until(const std::function<bool()>& condition,
                 std::chrono::seconds deadline = std::chrono::seconds(60)) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      context.restart();
      context.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  bool connect() {
    return run_until([this] { return client->trouble().empty(); });
  }

  /// A command and its answer.
  redis::Answer ask(std::vector<std::string> args, std::string key = {}) {
    return ask(redis::Command{.args = std::move(args), .key = std::move(key)});
  }
  redis::Answer ask(redis::Command command) {
    auto answer = std::make_shared<std::vector<redis::Answer>>();
    client->command(std::move(command),
                    [answer](redis::Answer a) { answer->push_back(std::move(a)); });
    if (!run_until([&] { return !answer->empty(); })) return {.error = "no answer at all"};
    return answer->front();
  }

  bool heard(const std::string& channel, const std::string& payload) const {
    const auto found = messages.find(channel);
    return found != messages.end() && !found->second.empty() && found->second.back() == payload;
  }

  double metric(std::string_view name) const {
    struct Sink final : runtime::MetricSink {
      void counter(std::string_view key, std::string_view, double value, runtime::Labels) override {
        if (key == wanted) sum += value;
      }
      void gauge(std::string_view, std::string_view, double, runtime::Labels) override {}
      std::string_view wanted{};
      double sum = 0;
    } sink;
    sink.wanted = name;
    client->probe().collect(sink);
    return sink.sum;
  }

  std::vector<std::vector<std::string>> setup(const redis::Node&) override {
    return setup_commands;
  }
  std::string judge_setup(const redis::Node&, const std::vector<redis::Reply>& replies) override {
    setup_replies = replies;
    return setup_verdict;
  }
  void on_connected(const redis::Node& node) override { connected.push_back(node); }
  void on_disconnected(const redis::Node&, std::string_view reason) override {
    disconnected.emplace_back(reason);
  }
  void on_subscribed(std::string_view channel) override { ++subscribed[std::string(channel)]; }
  void on_broken(std::string_view channel) override { ++broken[std::string(channel)]; }
  void on_message(std::string_view channel, std::string_view payload) override {
    messages[std::string(channel)].emplace_back(payload);
  }
  void on_turn() override {}

  boost::asio::io_context context;
  std::shared_ptr<LogCapture> capture = std::make_shared<LogCapture>();
  Result<void> checked{};
  std::vector<std::vector<std::string>> setup_commands{};
  std::vector<redis::Reply> setup_replies{};
  std::string setup_verdict{};
  std::vector<redis::Node> connected{};
  std::vector<std::string> disconnected{};
  std::map<std::string, int> subscribed{}, broken{};
  std::map<std::string, std::vector<std::string>> messages{};
  std::unique_ptr<redis::Client> client{};
};

}  // namespace peal::test
