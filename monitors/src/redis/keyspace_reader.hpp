#pragma once
// From keyspace notifications to the bus. Redis says that something happened to a key; what the key
// holds is fetched then, so it may be newer than the event, and a key that is gone by then is told
// as gone. Fetches of one key are answered in their order, at most some at a time are under way.

#include <deque>

#include "redis/keyspace_rule.hpp"
#include "redis/topic_reader.hpp"

namespace peal::monitor {

class KeyspaceReader final : public TopicReader {
 public:
  /// The configuration has been checked.
  explicit KeyspaceReader(const ReaderParts& parts);

 private:
  struct Happened {
    std::size_t rule;
    std::string key;
    std::string event;
  };

  std::vector<std::vector<std::string>> setup(const redis::Node& node) override;
  std::string judge_setup(const redis::Node& node,
                          const std::vector<redis::Reply>& replies) override;
  void check(const std::function<void()>& go) override;
  void hear(std::size_t rule, std::string_view channel, std::string_view payload) override;
  std::size_t held() const override { return happened_.size() + fetching_; }
  std::size_t held_bytes() const override { return held_bytes_; }
  void forget() override;
  void go_on() override { fetch(); }

  std::string judge(const redis::Reply& setting);
  void fetch();
  void on_fetched(const Happened& what, const redis::Answer& answer);

  const std::string topic_;  ///< before a key, of what is said about it
  std::vector<KeyspaceRule> rules_;
  std::vector<std::string> events_;  ///< that some rule names
  std::deque<Happened> happened_;    ///< and not asked for yet
  std::size_t held_bytes_ = 0;       ///< of these
  std::size_t fetching_ = 0;
  bool unchecked_said_ = false;
};

}  // namespace peal::monitor
