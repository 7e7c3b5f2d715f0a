#pragma once
// The bus over ZeroMQ: one bus thread owns all ZeroMQ sockets and links to the brokers; each port
// has one SPSC queue a direction and at most one wake a turn. DESIGN §6. Connection lost: publishes
// are refused within 1 s (those on the way become unknown); a silent link is noticed within 4 s;
// everything watched is watched again when the link is back.

#include <memory>
#include <string>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

struct ZmqBusConfig {
  std::vector<std::string> connect;  ///< brokers' endpoints; one in this version
  std::string cluster = "peal";
  std::string node;  ///< this process's name
  runtime::CurveConfig curve;
  bool insecure = false;
};

Result<std::unique_ptr<Bus>> make_zmq_bus(ZmqBusConfig config, const Limits& limits,
                                          runtime::Logger logger, runtime::ProbeRegistry& probes);

}  // namespace peal::bus
