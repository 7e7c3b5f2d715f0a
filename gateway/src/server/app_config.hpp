#pragma once
// The config of the process peal-gateway: the parts of its components under one schema. Filled at
// start-up by runtime::load_config, then turned into the GatewayConfig that the library takes.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"

namespace peal::gateway {

struct AppConfig {
  runtime::ProcessConfig process;
  runtime::ControlConfig control;
  GatewayConfig gateway;
  std::string bus_driver = "embedded";
  bus::ZmqBusConfig zmq;
  broker::RedisStoreConfig redis;
  std::chrono::milliseconds flush_delay{0};
  /// How often it is looked whether this gateway has more than its part; 0: never.
  std::chrono::milliseconds rebalance_interval{0};
  /// Patterns of --allow: anyone may do anything there; for trying things out.
  std::vector<std::string> allow;

  /// A [[channels]] entry as it stands in the file. A deque, since the schema points at the fields.
  struct Rule {
    ChannelRule rule;
    std::string slow_consumer = "close";
  };
  std::deque<Rule> rules;

  AppConfig();
};

void describe(runtime::ConfigSchema& schema, AppConfig& config);
/// Fills `gateway` from the rest and checks all that can be checked without binding anything: also
/// what --check-config does.
Result<void> complete(AppConfig& config);

}  // namespace peal::gateway
