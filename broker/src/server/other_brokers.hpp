#pragma once
// The links that a broker has made to the other members of its cluster, as the router sees them.
// Those that the others have made to it are the router's own.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "peal/bus/peer_link.hpp"
#include "peal/proto/bus_messages.hpp"

namespace peal::broker {

/// What became of a publish of this process itself.
using LocalOutcome = std::function<void(const bus::Published&)>;

class OtherBrokers {
 public:
  virtual ~OtherBrokers() = default;
  /// How that one stands; none: no link with it.
  virtual std::optional<bus::Standing> standing_of(std::size_t member) const = 0;
  /// What it is told of this one from now on.
  virtual void stand(std::size_t member, const bus::Standing& mine) = 0;
  /// Why one of them refused this one, or was refused, since the last call: their lists differ.
  virtual std::optional<std::string> quarrel() = 0;
  /// Why there is no link with it.
  virtual std::string trouble_with(std::size_t member) const = 0;
  /// Publishes at that one; views are copied. `done` (may be empty) hears of it once.
  virtual void publish(std::size_t member, const bus::PublishRequest& request,
                       LocalOutcome done) = 0;
};

}  // namespace peal::broker
