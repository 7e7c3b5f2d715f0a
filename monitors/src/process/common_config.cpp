#include "process/common_config.hpp"

namespace peal::monitor {

void describe_process(runtime::ConfigSchema& schema, CommonConfig& config,
                      const char* internal_listen) {
  if (config.process.internal_listen.empty()) config.process.internal_listen = internal_listen;
  if (config.bus.connect.empty()) config.bus.connect = {"tcp://127.0.0.1:8422"};
  runtime::describe(schema, config.process);
}

void describe_rest(runtime::ConfigSchema& schema, CommonConfig& config, const char* dry_run) {
  schema.field("bus.connect", config.bus.connect, "the broker's endpoint");
  schema.field("bus.cluster", config.bus.cluster, "name of the cluster; both sides must agree");
  schema.field("bus.under_way_bytes_max", config.under_way_bytes_max,
               "bytes that are published and not acknowledged");
  schema.field("dry_run", config.dry_run, dry_run);
  runtime::describe(schema, config.control);
  runtime::describe(schema, config.limits);
}

Result<void> complete_common(CommonConfig& config) {
  if (auto done = runtime::complete(config.process); !done) return done;
  if (auto good = runtime::validate(config.limits); !good) return good;
  if (auto done = runtime::complete(config.control.curve); !done) return done;
  config.bus.node = config.process.name;
  config.bus.curve = config.control.curve;
  config.bus.insecure = config.control.insecure;
  return {};
}

}  // namespace peal::monitor
