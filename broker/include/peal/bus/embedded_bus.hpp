#pragma once
// The bus of one process: each attached shard is the home of hash(name) mod shards of all channels
// and runs that Core partition itself, inside its own turn(). A channel at home costs no hop and no
// wake; between shards one message per pair and turn. `make_store` is called once per shard; none:
// logs are in memory. Others don't hear it, unless the stores meet theirs somewhere.

#include <memory>
#include <string>

#include "peal/broker/cluster_relay.hpp"
#include "peal/broker/core.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

/// Where the stores of several processes meet.
struct MeetingPlace {
  std::string name{};                             ///< for a person; empty: nowhere
  std::shared_ptr<broker::ClusterRelay> relay{};  ///< null: this process is asked alone
};

std::unique_ptr<Bus> make_embedded_bus(std::size_t shards, broker::OptionsOf options_of,
                                       const Limits& limits, runtime::ProbeRegistry& probes,
                                       broker::MakeLogStore make_store = {},
                                       MeetingPlace meeting = {});

}  // namespace peal::bus
