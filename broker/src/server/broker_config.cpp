#include "server/broker_config.hpp"

#include <algorithm>

#include "peal/proto/channel_name.hpp"
#include "peal/proto/glob.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::broker {

void describe(runtime::ConfigSchema& schema, BrokerConfig& config) {
  if (config.process.internal_listen.empty()) config.process.internal_listen = "127.0.0.1:8423";
  runtime::describe(schema, config.process);
  schema.field("bus.listen", config.listen,
               "where peers reach this broker: tcp://host:port or ipc://path");
  schema.field("bus.cluster", config.cluster, "only peers of the same cluster are linked");
  schema.field("bus.members", config.members,
               "all brokers of the cluster, this one too, as name=endpoint; none: it is the only "
               "one");
  runtime::describe(schema, config.control);
  broker::describe(schema, config.store);
  broker::describe(schema, config.redis);
  runtime::describe(schema, config.limits);
  schema.array(
      "channels",
      [&config](runtime::ConfigSchema& entry) {
        BrokerConfig::Rule& rule = config.rules.emplace_back();
        entry.field("pattern", rule.pattern, "glob of channel names: * any bytes, ? one character");
        entry.field("recoverable", rule.recoverable,
                    "the channel keeps a log that clients can return to");
        entry.field("history_length_max", rule.history_length_max, "publications its log keeps");
        entry.field("history_bytes_max", rule.history_bytes_max, "bytes its log keeps");
        entry.field("history_age_max", rule.history_age_max,
                    "how long its log keeps a publication; 0: for ever");
        entry.field("compact", rule.compact, "of each key the log keeps only the last publication");
        entry.field("file", rule.file, "the channel is a file: appended to, never trimmed");
        entry.field("presence", rule.presence,
                    "as at the gateways; anything but nobody: who is there is kept");
        entry.field("occupancy", rule.occupancy,
                    "tell the channel peal:occupancy when the first session comes and the last "
                    "goes");
      },
      "which channels keep a log");
}

namespace {

Result<void> check_members(const BrokerConfig& config) {
  if (config.members.empty()) return {};
  const auto brokers = bus::read_brokers(config.members, "bus.members");
  if (!brokers) return brokers.error();
  std::string names;
  for (const bus::BrokerAddress& broker : *brokers) {
    if (broker.name == config.process.name) return {};
    names += (names.empty() ? "" : ", ") + broker.name;
  }
  return fail(ErrorCode::config_invalid, "bus.members: this broker is named " +
                                             config.process.name + ", and the list has " + names);
}

}  // namespace

Result<void> complete(BrokerConfig& config) {
  if (auto done = runtime::complete(config.process); !done) return done;
  if (auto good = runtime::validate(config.limits); !good) return good;
  if (auto done = complete(config.store, config.process.name); !done) return done;
  if (config.store.driver == "redis") {
    if (auto done = complete(config.redis); !done) return done;
  }
  if (auto done = runtime::complete(config.control.curve); !done) return done;
  for (const BrokerConfig::Rule& rule : config.rules) {
    if (rule.pattern.empty())
      return fail(ErrorCode::config_invalid, "[[channels]]: pattern is missing");
  }
  if (!ChannelName::valid(config.cluster)) {
    return fail(ErrorCode::config_invalid,
                "bus.cluster: 1 to 255 bytes without control characters");
  }
  if (!config.listen.starts_with("tcp://") && !config.listen.starts_with("ipc://")) {
    return fail(ErrorCode::config_invalid,
                "bus.listen: " + config.listen + " is neither tcp:// nor ipc://");
  }
  if (auto good = check_members(config); !good) return good;
  return runtime::require_curve(config.listen, config.control.curve, config.control.insecure,
                                "bus.listen");
}

OptionsOf options_of(std::shared_ptr<const runtime::Replaceable<BrokerConfig::Rules>> replaceable) {
  return [replaceable = std::move(replaceable)](std::string_view channel) {
    const BrokerConfig::Rules& rules = replaceable->get();
    const auto rule = std::ranges::find_if(
        rules, [&](const BrokerConfig::Rule& one) { return glob_matches(one.pattern, channel); });
    return rule == rules.end() ? ChannelOptions() : options_of_rule(*rule);
  };
}

}  // namespace peal::broker
