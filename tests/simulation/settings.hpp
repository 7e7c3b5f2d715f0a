#pragma once
// What one run is made of: drawn from its seed, the same for all of its parts.

#include <cstdint>
#include <string>
#include <vector>

#include "peal/broker/channel_options.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "peal/gateway/rules.hpp"
#include "peal/proto/limits.hpp"
#include "plants.hpp"
#include "server/membership.hpp"
#include "world.hpp"

namespace peal::simulation {

using broker::StoreKind;

struct Settings {
  StoreKind store = StoreKind::memory;
  Plant plant = Plant::none;
  std::uint32_t brokers = 1;
  std::uint32_t gateways = 2;
  std::uint32_t subscribers = 8;
  std::uint32_t producers = 2;
  std::uint32_t channels = 4;
  /// How long faults and publishing go on; then everything heals.
  Duration trouble = std::chrono::seconds(40);
  /// By channel: how many publications are kept.
  std::vector<std::size_t> kept{};
  Limits limits{};
  Duration delay_max = std::chrono::milliseconds(2);

  broker::ChannelOptions options_of(std::string_view channel) const;
  std::vector<gateway::ChannelRule> rules() const;
  /// In the order of their names; of one alone nobody needs the name.
  std::vector<bus::BrokerAddress> members() const;
  std::string describe() const;
};

/// A whole run's settings.
Settings draw_settings(World& world, Plant plant);

inline std::string broker_name(std::size_t number) {
  return "broker-" + std::to_string(number);
}

inline std::string channel_name(std::uint64_t number) {
  return "job:" + std::to_string(number);
}

}  // namespace peal::simulation
