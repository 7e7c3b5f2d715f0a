#include "redis/listen_reader.hpp"

namespace peal::monitor {

Result<MessageRule> listen_rule(const TopicConfig& config) {
  const std::string& name = config.pattern.empty() ? config.name : config.pattern;
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "listen: " + name + ": " + what);
  };
  if (config.name.empty() == config.pattern.empty())
    return wrong("either name or pattern has to be there");
  auto rule = MessageRule::compile_with_gaps({name, config.channel, config.key, config.payload},
                                             config.reset);
  if (!rule) return wrong(rule.error().message);
  return rule;
}

ListenReader::ListenReader(const ReaderParts& parts) : TopicReader(parts, "listen") {
  for (const TopicConfig& config : parts.config.listens) {
    listen({.name = config.pattern.empty() ? config.name : config.pattern,
            .pattern = !config.pattern.empty()},
           *listen_rule(config));
  }
}

void ListenReader::hear(std::size_t number, std::string_view channel, std::string_view payload) {
  publish_next(number, listen_ring(rule(number), channel, payload, reader_));
}

Result<Ring> listen_ring(const MessageRule& rule, std::string_view channel,
                         std::string_view payload, JsonReader& reader) {
  std::string json = said_json(payload, reader);
  std::string name;
  append_json_text(name, channel);
  return rule.ring({{"payload", json}, {"$channel", std::move(name)}}, json, reader);
}

}  // namespace peal::monitor
