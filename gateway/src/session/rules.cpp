#include "peal/gateway/rules.hpp"

#include <algorithm>

#include "peal/proto/glob.hpp"

namespace peal::gateway {

std::optional<ChannelRules::Access> ChannelRules::parse(std::string_view text) {
  constexpr std::string_view kKey = "key:";
  if (text == "nobody") return Access{Word::nobody, {}};
  if (text == "anyone") return Access{Word::anyone, {}};
  if (text.starts_with(kKey) && text.size() > kKey.size()) {
    return Access{Word::key, std::string(text.substr(kKey.size()))};
  }
  return std::nullopt;
}

Result<std::shared_ptr<ChannelRules>> ChannelRules::make(std::vector<ChannelRule> rules,
                                                         std::vector<std::string> key_names) {
  Entries entries;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    ChannelRule& rule = rules[i];
    const auto wrong = [&](std::string_view field, const std::string& why) {
      return fail(ErrorCode::config_invalid, "[[channels]] number " + std::to_string(i + 1) +
                                                 " (\"" + rule.pattern +
                                                 "\"): " + std::string(field) + ' ' + why);
    };
    if (rule.pattern.empty()) return wrong("pattern", "is missing");
    const auto access = [&](std::string_view field, const std::string& text,
                            Access& target) -> std::optional<Error> {
      auto parsed = parse(text);
      if (!parsed) {
        return wrong(field, "is \"" + text + R"(", not "nobody", "anyone" or "key:NAME")");
      }
      if (parsed->word == Word::key && std::ranges::count(key_names, parsed->key_name) == 0) {
        return wrong(field, "names the key \"" + parsed->key_name + "\", which is not in [keys]");
      }
      target = std::move(*parsed);
      return std::nullopt;
    };
    Entry entry;
    if (auto error = access("subscribe", rule.subscribe, entry.subscribe)) return *error;
    if (auto error = access("publish", rule.publish, entry.publish)) return *error;
    if (auto error = access("presence", rule.presence, entry.presence)) return *error;
    if (rule.public_cache && entry.subscribe.word != Word::anyone) {
      return wrong("public", R"(needs subscribe = "anyone": shared caches ask nobody for a key)");
    }
    if (rule.file && rule.compact) return wrong("compact", "can't be with file: every byte counts");
    if (rule.file) rule.recoverable = true;
    if ((rule.compact || rule.require_match) && !rule.recoverable) {
      return wrong(rule.compact ? "compact" : "require_match", "needs recoverable");
    }
    if (rule.recoverable && rule.slow_consumer == SlowConsumerPolicy::drop_oldest) {
      return wrong("slow_consumer", "can't be drop_oldest on a recoverable channel");
    }
    entry.rule = std::move(rule);
    entries.push_back(std::move(entry));
  }
  return std::shared_ptr<ChannelRules>(new ChannelRules(std::move(entries)));
}

void ChannelRules::replace(const ChannelRules& other) {
  entries_.replace(other.entries_.get());
}

const ChannelRules::Entry* ChannelRules::entry(std::string_view channel) const {
  const Entries& entries = entries_.get();
  const auto found = std::ranges::find_if(entries, [&](const Entry& candidate) {
    return glob_matches(candidate.rule.pattern, channel);
  });
  return found == entries.end() ? nullptr : &*found;
}

const ChannelRule* ChannelRules::find(std::string_view channel) const {
  const Entry* found = entry(channel);
  return found == nullptr ? nullptr : &found->rule;
}

std::optional<Error> ChannelRules::judge(const Principal& principal, std::string_view channel,
                                         const Entry* entry, const char* verb,
                                         Access Entry::*access) {
  const auto denied = [&](const std::string& why) {
    return fail(ErrorCode::permission_denied, why);
  };
  if (entry == nullptr) {
    return denied("no channel rule matches \"" + std::string(channel) + "\", so nobody may " +
                  verb);
  }
  const Access& required = entry->*access;
  if (required.word == Word::anyone) return std::nullopt;
  const bool keyed = required.word == Word::key;
  if (keyed && std::ranges::count(principal.key_names, required.key_name) != 0) return std::nullopt;
  return denied("the channel rule \"" + entry->rule.pattern + "\" lets " +
                (keyed ? "only holders of the key \"" + required.key_name + "\" " : "nobody ") +
                verb);
}

std::optional<Error> ChannelRules::may_subscribe(const Principal& principal,
                                                 std::string_view channel) const {
  return judge(principal, channel, entry(channel), "subscribe", &Entry::subscribe);
}

std::optional<Error> ChannelRules::may_see_presence(const Principal& principal,
                                                    std::string_view channel) const {
  return judge(principal, channel, entry(channel), "see who is there", &Entry::presence);
}

std::optional<Error> ChannelRules::may_publish(const Principal& principal,
                                               std::string_view channel) const {
  return judge(principal, channel, entry(channel), "publish", &Entry::publish);
}

}  // namespace peal::gateway
