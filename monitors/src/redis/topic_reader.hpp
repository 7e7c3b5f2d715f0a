#pragma once
// From what Redis says to those who listen, which can't be asked again, to the bus. All instances
// listen, the one with the lease publishes. Whenever it begins, when a connection is back, and when
// more was heard than it may hold while the bus took nothing, what was missed is told by a reset,
// in its place: behind it everything is heard again. What a rule is told of is its derived
// reader's. A session is one life of the lease; its number is the sequences' major and grows, so
// that a log takes nothing of an older session behind a newer one.

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mapping/message_rule.hpp"
#include "redis/redis_reader.hpp"

namespace peal::monitor {

class TopicReader : public RedisReader, private redis::TopicOwner {
 public:
  /// What was heard and not published yet; in Redis nothing waits.
  Waiting waiting() const override;

 protected:
  /// `what` is said in resets, names the reader in the log and its state in Redis.
  TopicReader(const ReaderParts& parts, std::string what);

  /// A rule that is told of a topic; its number counts from 0. Before start().
  void listen(redis::Topic topic, MessageRule rule);
  const MessageRule& rule(std::size_t number) const { return rules_[number].rule; }

  /// While active: somebody said something that the rule is about.
  virtual void hear(std::size_t rule, std::string_view channel, std::string_view payload) = 0;
  /// What is held besides what is being published.
  virtual std::size_t held() const { return 0; }
  virtual std::size_t held_bytes() const { return 0; }
  /// A session begins: what was held is of the last one.
  virtual void forget() {}
  /// The bus has taken something, or it is time.
  virtual void go_on() {}
  /// Now and then, and before a session begins: calls `go` when all that it needs is there.
  virtual void check(const std::function<void()>& go) { go(); }

  /// What a rule made of what was said, or why nothing.
  void publish_next(std::size_t rule, Result<Ring> ring);

 private:
  struct Rule {
    MessageRule rule;
    std::string_view missed{};  ///< why, and not told yet
  };

  void on_leased(const std::vector<redis::Reply>& fields) override;
  void on_turned() override;
  void on_impossible(std::uint64_t ticket, const Error& error) override;
  void on_disconnected(const redis::Node& node, std::string_view reason) override;
  void on_listening(const redis::Topic& topic) override;
  void on_deaf(const redis::Topic& topic) override;
  void on_heard(const redis::Topic& topic, std::string_view channel,
                std::string_view payload) override;

  void begin(const redis::Reply& reply);
  void renew();
  void reset(std::size_t rule, std::string_view why);
  void publish_next(Ring ring, std::uint64_t ticket);
  void reset(const redis::Topic& topic, std::string_view why);

  const std::string what_;
  std::vector<Rule> rules_;
  std::map<redis::Topic, std::vector<std::size_t>> topics_;
  std::map<redis::Topic, std::size_t> heard_;  ///< at how many masters
  bool begun_ = false;                         ///< while active: the session has its number
  bool renewing_ = false;
  std::chrono::steady_clock::time_point renewed_{};
  std::chrono::steady_clock::time_point unmapped_said_{};
  Sequence sequence_;  ///< of the last that was published
};

}  // namespace peal::monitor
