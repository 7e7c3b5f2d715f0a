#pragma once
// Spreads clients again after gateways were added: connections stay where they are, so a new
// gateway would get only who comes. Each gateway asks the cluster from time to time how many
// sessions there are, and when it has clearly more than its part it closes what is above (1012), at
// most a share a second; the clients come back, and a balancer that looks for the least connections
// brings them to the emptiest. Each decides for itself. Who doesn't answer doesn't count: one that
// has ended is asked for a while longer.
//   made: looks every `interval` (0: never by itself) -> destroyed: its thread is joined.

#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/logger.hpp"

namespace peal::gateway {

/// How many of its `own` sessions a gateway should give away; a tenth and a few more than its part
/// are not worth a reconnect.
std::size_t surplus(std::size_t own, std::size_t sessions, std::size_t gateways);

class Balancer {
 public:
  Balancer(Gateway& gateway, std::chrono::milliseconds interval, runtime::Logger logger);
  ~Balancer();
  /// Looks now; `then` hears how many sessions it closes, or why nobody can say. Any thread; `then`
  /// on one of the gateway's.
  void look(std::function<void(Result<std::size_t>)> then);

 private:
  Gateway& gateway_;
  const runtime::Logger logger_;
  std::jthread thread_;
};

}  // namespace peal::gateway
