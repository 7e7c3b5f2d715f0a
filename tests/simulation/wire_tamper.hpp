#pragma once
// Alters the messages of one link between the broker and its socket: loses a delivery now and then,
// which the link's numbers must tell, and makes the mistakes of plants that are of what is said.

#include <cstdint>
#include <set>

#include "peal/proto/bus_wire.hpp"
#include "plants.hpp"
#include "world.hpp"

namespace peal::simulation {

class Tamper {
 public:
  Tamper(World& world, Plant plant) : world_(world), plant_(plant) {}
  void to_broker(wire::Message& message);
  void to_peer(wire::Message& message);

 private:
  class Copy;
  void rewrite(wire::Message& message, wire::Direction direction, bool lose);

  World& world_;
  const Plant plant_;
  std::uint64_t seen_ = 0;
  std::set<std::uint32_t> late_unwatches_;  ///< indexes whose unwatch hasn't come through yet
};

}  // namespace peal::simulation
