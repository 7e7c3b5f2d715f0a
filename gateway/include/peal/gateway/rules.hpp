#pragma once
// Who may do what: an ordered list of channel rules, first match wins, no match: nobody. A
// Principal is what a session has shown (names of keys); it is immutable once made. Pure; shared by
// all shards.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::gateway {

enum class SlowConsumerPolicy : std::uint8_t { close, drop_oldest };

struct ChannelRule {
  std::string pattern;               ///< a glob
  std::string subscribe = "nobody";  ///< "nobody" | "anyone" | "key:NAME"
  std::string publish = "nobody";
  bool recoverable = false;
  std::size_t history_length_max = 1000;
  SlowConsumerPolicy slow_consumer = SlowConsumerPolicy::close;  ///< drop_oldest: ephemeral only
};

struct Principal {
  std::string user;                    ///< empty: anonymous
  std::vector<std::string> key_names;  ///< names of the keys it has shown
};

class ChannelRules {
 public:
  /// Errors name the rule and field: unknown word, key that isn't configured, drop_oldest with
  /// recoverable.
  static Result<std::shared_ptr<const ChannelRules>> make(std::vector<ChannelRule> rules,
                                                          std::vector<std::string> key_names);
  const ChannelRule* find(std::string_view channel) const;
  /// Empty when allowed; else permission_denied with a sentence that says which rule or that none
  /// matches.
  std::optional<Error> may_subscribe(const Principal& principal, std::string_view channel) const;
  std::optional<Error> may_publish(const Principal& principal, std::string_view channel) const;

 private:
  enum class Word : std::uint8_t { nobody, anyone, key };
  struct Access {
    Word word = Word::nobody;
    std::string key_name;
  };
  struct Entry {
    ChannelRule rule;
    Access subscribe;
    Access publish;
  };
  static std::optional<Access> parse(std::string_view text);
  const Entry* entry(std::string_view channel) const;
  static std::optional<Error> judge(const Principal& principal, std::string_view channel,
                                    const Entry* entry, const char* verb, Access Entry::*access);

  std::vector<Entry> entries_;
};

}  // namespace peal::gateway
