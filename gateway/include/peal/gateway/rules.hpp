#pragma once
// Who may do what: an ordered list of channel rules, first match wins, no match: nobody. A
// Principal is what a session has shown (names of keys); it is immutable once made. Pure; shared by
// all shards. The list can be replaced as a whole while it is used.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peal/proto/result.hpp"
#include "peal/runtime/replaceable.hpp"

namespace peal::gateway {

enum class SlowConsumerPolicy : std::uint8_t { close, drop_oldest };

struct ChannelRule {
  std::string pattern;               ///< a glob
  std::string subscribe = "nobody";  ///< "nobody" | "anyone" | "key:NAME"
  std::string publish = "nobody";
  std::string presence = "nobody";  ///< who may see who is there, and be seen
  bool recoverable = false;
  std::size_t history_length_max = 1000;
  std::size_t history_bytes_max = 8 * 1024 * 1024;
  std::chrono::seconds history_age_max{300};  ///< 0: for ever
  bool compact = false;                       ///< of each key only the last is kept
  bool file = false;       ///< the channel is a file: an append-only run of bytes, never trimmed
  bool occupancy = false;  ///< tell kOccupancyChannel when the first comes and the last goes
  /// HTTP: what is read may be kept by shared caches (only with subscribe = "anyone").
  bool public_cache = false;
  std::chrono::seconds cache_max_age{0};  ///< HTTP: of the resource; 0: asked again each time
  bool require_match = false;             ///< HTTP: PUT and DELETE need a condition, else 428
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
  static Result<std::shared_ptr<ChannelRules>> make(std::vector<ChannelRule> rules,
                                                    std::vector<std::string> key_names);
  /// From now on what `other` says counts. Any thread.
  void replace(const ChannelRules& other);
  /// Valid as long as this lives.
  const ChannelRule* find(std::string_view channel) const;
  /// Empty when allowed; else permission_denied with a sentence that says which rule or that none
  /// matches.
  std::optional<Error> may_subscribe(const Principal& principal, std::string_view channel) const;
  std::optional<Error> may_publish(const Principal& principal, std::string_view channel) const;
  std::optional<Error> may_see_presence(const Principal& principal, std::string_view channel) const;

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
    Access presence;
  };
  using Entries = std::vector<Entry>;
  explicit ChannelRules(Entries entries) : entries_(std::move(entries)) {}
  static std::optional<Access> parse(std::string_view text);
  const Entry* entry(std::string_view channel) const;
  static std::optional<Error> judge(const Principal& principal, std::string_view channel,
                                    const Entry* entry, const char* verb, Access Entry::*access);

  runtime::Replaceable<Entries> entries_;
};

}  // namespace peal::gateway
