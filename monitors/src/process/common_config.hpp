#pragma once
// What every monitor can be told, whatever it reads: of itself as a process, and of the broker that
// it publishes to.

#include <cstddef>

#include "peal/bus/zmq_bus.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"

namespace peal::monitor {

struct CommonConfig {
  runtime::ProcessConfig process;
  runtime::ControlConfig control;
  Limits limits;
  /// The broker that it publishes to.
  bus::ZmqBusConfig bus;
  /// Bytes that are published and not yet acknowledged.
  std::size_t under_way_bytes_max = 4 * 1024 * 1024;
  /// Print what would be published instead.
  bool dry_run = false;
};

/// The process, which comes first; `internal_listen` is where it is when nothing says otherwise.
void describe_process(runtime::ConfigSchema& schema, CommonConfig& config,
                      const char* internal_listen);
/// The rest, which follows what is the monitor's own; `dry_run` says what that prints.
void describe_rest(runtime::ConfigSchema& schema, CommonConfig& config, const char* dry_run);
/// Completes and checks; the error names the key.
Result<void> complete_common(CommonConfig& config);

}  // namespace peal::monitor
