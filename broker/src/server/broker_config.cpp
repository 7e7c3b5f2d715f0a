#include "server/broker_config.hpp"

#include "peal/proto/channel_name.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::broker {

void describe(runtime::ConfigSchema& schema, BrokerConfig& config) {
  if (config.process.internal_listen.empty()) config.process.internal_listen = "127.0.0.1:8423";
  runtime::describe(schema, config.process);
  schema.field("bus.listen", config.listen, "where peers reach this broker: tcp://host:port or ipc://path");
  schema.field("bus.cluster", config.cluster, "only peers of the same cluster are linked");
  runtime::describe(schema, config.control);
  runtime::describe(schema, config.limits);
}

Result<void> complete(BrokerConfig& config) {
  if (auto done = runtime::complete(config.process); !done) return done;
  if (auto done = runtime::complete(config.control.curve); !done) return done;
  if (!ChannelName::valid(config.cluster)) {
    return fail(ErrorCode::config_invalid, "bus.cluster: 1 to 255 bytes without control characters");
  }
  if (!config.listen.starts_with("tcp://") && !config.listen.starts_with("ipc://")) {
    return fail(ErrorCode::config_invalid, "bus.listen: " + config.listen + " is neither tcp:// nor ipc://");
  }
  return runtime::require_curve(config.listen, config.control.curve, config.control.insecure, "bus.listen");
}

}  // namespace peal::broker
