#include "redis/list_rule.hpp"

#include "peal/redis/client.hpp"
#include "redis/state_key.hpp"

namespace peal::monitor {
Result<ListRule> ListRule::compile(const ListConfig& config) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::config_invalid, "lists: " + config.list + ": " + what);
  };
  if (config.list.empty()) return wrong("list is missing");
  if (config.take != "left" && config.take != "right")
    return wrong("take is neither left nor right");
  auto rule = MessageRule::compile({config.list, config.channel, config.key, config.payload});
  if (!rule) return wrong(rule.error().message);
  ListRule made;
  made.config_ = config;
  made.rule_ = std::move(*rule);
  return made;
}

Result<Ring> ListRule::ring(std::string_view element, JsonReader& reader) const {
  std::string payload = said_json(element, reader);
  return rule_.ring({{"payload", payload}}, payload, reader);
}

ListKeys list_keys(const std::string& prefix, const std::string& monitor, const std::string& list) {
  const std::string state = state_key(prefix, monitor, list);
  return {state, state + ":taken", state + ":rejected"};
}

std::string cluster_trouble(const ListKeys& keys, const std::string& list) {
  const auto here = [slot = redis::slot_of(list)](const std::string& key) {
    return redis::slot_of(key) == slot;
  };
  if (here(keys.state) && here(keys.taken) && here(keys.rejected)) return {};
  return "on a Cluster the list's name must have a {tag}, or no braces (nor redis.prefix any): "
         "its elements are moved to " +
         keys.taken + ", which has to be in its slot";
}

}  // namespace peal::monitor
