#pragma once
// Everything peal-broker can be told. `describe` binds it to keys; `check` is what no single key
// can say.

#include <deque>
#include <memory>
#include <string>

#include "peal/broker/disk_storage.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"
#include "peal/runtime/replaceable.hpp"
#include "server/broker_loop.hpp"

namespace peal::broker {

struct BrokerConfig {
  runtime::ProcessConfig process;
  runtime::ControlConfig control;
  Limits limits;
  StoreConfig store;
  RedisStoreConfig redis;  ///< with store.driver = "redis"
  /// Where gateways, monitors and the CLI reach this broker.
  std::string listen = "tcp://127.0.0.1:8422";
  /// Only peers of the same cluster are linked.
  std::string cluster = "peal";
  /// All brokers of the cluster, this one too, as "name=endpoint"; none: there is no other.
  std::vector<std::string> members;

  /// What the core decides per channel; the first pattern that matches wins, none: ephemeral.
  struct Rule {
    std::string pattern;
    bool recoverable = false;
    std::size_t history_length_max = ChannelOptions{}.history_length_max;
    std::size_t history_bytes_max = ChannelOptions{}.history_bytes_max;
    std::chrono::seconds history_age_max = ChannelOptions{}.history_age_max;
    bool compact = false;
    bool file = false;
    std::string presence = "nobody";
    bool occupancy = false;
  };
  /// A deque, since the schema points at the fields.
  using Rules = std::deque<Rule>;
  Rules rules;
};

void describe(runtime::ConfigSchema& schema, BrokerConfig& config);
/// Completes and checks; the error names the key.
Result<void> complete(BrokerConfig& config);
/// What the rules say of a channel's log; they may be replaced meanwhile.
OptionsOf options_of(std::shared_ptr<const runtime::Replaceable<BrokerConfig::Rules>> rules);

}  // namespace peal::broker
