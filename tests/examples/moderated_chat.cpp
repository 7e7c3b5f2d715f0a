// A chat server in one file: anyone may write to chat:*, but a moderator reads everything first. He
// works on a thread of his own, as a database or another service would, so the hook answers later;
// meanwhile the gateway serves everyone else. Ends when its standard input does.
#include <condition_variable>
#include <deque>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include "peal/gateway/gateway.hpp"

using namespace peal::gateway;

class Moderator {
 public:
  ~Moderator() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// Called on the gateway's threads: only queues.
  void ask(PublishQuestion question, HookCompletion completion) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(question), std::move(completion));
    changed_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      if (closing_) return;
      const auto [question, completion] = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      if (question.publication.payload.find("spam") == std::string::npos) {
        completion.allow();
      } else {
        completion.deny(peal::fail(peal::ErrorCode::permission_denied, "the moderator said no"));
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<PublishQuestion, HookCompletion>> waiting_;
  bool closing_ = false;
  std::thread thread_{[this] { work(); }};
};

int main() {
  Moderator moderator;
  GatewayConfig config;
  config.listen = "127.0.0.1:0";
  config.channels.push_back({.pattern = "chat:*", .subscribe = "anyone", .publish = "anyone"});
  config.hooks.publish = [&](PublishQuestion question, HookCompletion completion) {
    moderator.ask(std::move(question), std::move(completion));
  };
  auto gateway = Gateway::make(std::move(config)).value();
  gateway->start().value();
  std::cout << gateway->address() << std::endl;

  // What comes on standard input is said to everyone, past the moderator.
  for (std::string line; std::getline(std::cin, line);) {
    gateway->publish("chat:all", line, [](const peal::bus::Published& outcome) {
      if (outcome.error) std::cerr << outcome.error->message << std::endl;
    });
  }
}
