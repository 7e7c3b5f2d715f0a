#pragma once
// The bus of one process: each attached shard is the home of hash(name) mod shards of all channels
// and runs that Core partition itself, inside its own turn(). A channel at home costs no hop and no
// wake; between shards one message per pair and turn. `make_store` is called once per shard; none:
// logs are in memory. Others don't hear it, unless the stores meet theirs somewhere: `met_at` says
// where, for a person.

#include <memory>
#include <string>

#include "peal/broker/core.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::bus {

std::unique_ptr<Bus> make_embedded_bus(std::size_t shards, broker::OptionsOf options_of,
                                       const Limits& limits, runtime::ProbeRegistry& probes,
                                       broker::MakeLogStore make_store = {},
                                       std::string met_at = {});

}  // namespace peal::bus
