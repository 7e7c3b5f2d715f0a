#pragma once
// Which keys' events ring where, with the value that a key has, and what a server must be set to so
// that it says them. A value as JSON: a string as it is when it is JSON, else as a JSON string; a
// hash as an object of texts; a list as an array of texts, a set likewise in byte order; a sorted
// set as an array of [text, score]. Other types, and values that are too large, have none. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mapping/message_rule.hpp"
#include "peal/redis/reply.hpp"
#include "redis/redis_config.hpp"

namespace peal::monitor {

/// What a key holds, as it was fetched.
struct KeyValue {
  std::string type;                 ///< as TYPE says it; "none": there is no such key
  std::optional<std::string> json;  ///< none: too large, or of a type without one
};

/// The command that fetches it.
std::vector<std::string> fetch_args(const std::string& key, const RedisMonitorConfig& config);
/// Of a fetch's answer [type, value?]; the error: it is something else.
Result<KeyValue> value_of(const redis::Reply& reply, JsonReader& reader);

class KeyspaceRule {
 public:
  /// The error names the entry.
  static Result<KeyspaceRule> compile(const KeyspaceConfig& config);

  const MessageRule& messages() const { return rule_; }
  bool wants(std::string_view event) const;
  /// A key that is not there is a deletion, where the rule has a key.
  Result<Ring> ring(std::string_view key, std::string_view event, const KeyValue& value,
                    JsonReader& reader) const;

 private:
  std::vector<std::string> events_;
  MessageRule rule_;
};

/// Empty, or what of `notify-keyspace-events` is missing so that these events are said, and any at
/// all; and how to set it.
std::string missing_of(std::string_view setting, const std::vector<std::string>& events);

/// The command that asks for that setting.
const std::vector<std::string>& setting_question();
/// Before a key, the name of what is said about it.
std::string keyspace_topic(std::size_t database);

}  // namespace peal::monitor
