#pragma once
// The bus over ZeroMQ: one bus thread owns all ZeroMQ sockets and links to the brokers; each port
// has one SPSC queue a direction and at most one wake a turn. DESIGN §6. Connection lost: publishes
// are refused within 1 s (those on the way become unknown); a silent link is noticed within 4 s;
// everything watched is watched again when the link is back.
//   Of several brokers each serves its own channels (bus/ranks.hpp): what is watched there moves to
// the next broker and back by itself, and the port hears a new answer each time it has moved.

#include <memory>
#include <string>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/proto/limits.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

/// Brokers that one list may name.
inline constexpr std::size_t kBrokersMax = 64;

struct ZmqBusConfig {
  /// One broker's endpoint, or all of several brokers as "name=endpoint".
  std::vector<std::string> connect;
  std::string cluster = "peal";
  std::string node;  ///< this process's name
  runtime::CurveConfig curve;
  bool insecure = false;
};

/// A broker as a list names it.
struct BrokerAddress {
  std::string name;  ///< empty: there is one broker, whatever its name
  std::string endpoint;
};
/// In the order of their names. The error begins with `key` and says what is wrong with the list.
Result<std::vector<BrokerAddress>> read_brokers(const std::vector<std::string>& list,
                                                const std::string& key);

Result<std::unique_ptr<Bus>> make_zmq_bus(ZmqBusConfig config, const Limits& limits,
                                          runtime::Logger logger, runtime::ProbeRegistry& probes);

}  // namespace peal::bus
