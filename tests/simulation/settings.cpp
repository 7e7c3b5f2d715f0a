#include "settings.hpp"

#include <charconv>

namespace peal::simulation {

using namespace std::chrono_literals;

std::optional<Plant> plant_of(std::string_view name) {
  for (std::size_t i = 0; i < kPlantNames.size(); ++i)
    if (kPlantNames[i] == name) return static_cast<Plant>(i);
  return std::nullopt;
}

broker::ChannelOptions Settings::options_of(std::string_view channel) const {
  broker::ChannelOptions options;
  const std::string_view prefix = "job:";
  if (!channel.starts_with(prefix)) return options;
  std::size_t number = 0;
  std::from_chars(channel.data() + prefix.size(), channel.data() + channel.size(), number);
  options.recoverable = true;
  options.presence = true;
  options.history_age_max = 0s;
  options.history_length_max = kept[number % kept.size()];
  return options;
}

std::vector<gateway::ChannelRule> Settings::rules() const {
  gateway::ChannelRule rule;
  rule.pattern = "job:*";
  rule.subscribe = rule.publish = rule.presence = "anyone";
  rule.recoverable = true;
  return {rule};
}

std::vector<bus::BrokerAddress> Settings::members() const {
  std::vector<bus::BrokerAddress> members;
  for (std::size_t i = 0; i < brokers; ++i)
    members.push_back({broker_name(i), "tcp://" + broker_name(i) + ":8422"});
  return members;
}

std::string Settings::describe() const {
  return std::string(store == StoreKind::disk ? "disk" : "memory") + ", " +
         std::to_string(brokers) + " brokers, " + std::to_string(gateways) + " gateways, " +
         std::to_string(subscribers) + " subscribers, " + std::to_string(producers) +
         " producers, " + std::to_string(channels) + " channels";
}

Settings draw_settings(World& world, Plant plant) {
  Settings settings;
  settings.plant = plant;
  settings.store = world.one_in(2) ? StoreKind::disk : StoreKind::memory;
  if (plant == Plant::acknowledged_before_commit) settings.store = StoreKind::disk;
  if (plant == Plant::restart_in_the_old_epoch) settings.store = StoreKind::memory;
  settings.brokers = 1 + static_cast<std::uint32_t>(world.below(3));
  if (plant == Plant::takeover_without_a_new_epoch || plant == Plant::stale_owner_accepts) {
    settings.store = StoreKind::memory;
    settings.brokers = 2 + settings.brokers % 2;
  }
  settings.gateways = 1 + static_cast<std::uint32_t>(world.below(3));
  settings.subscribers = 4 + static_cast<std::uint32_t>(world.below(8));
  settings.producers = 1 + static_cast<std::uint32_t>(world.below(3));
  settings.channels = 1 + static_cast<std::uint32_t>(world.below(4));
  settings.trouble = world.between(20s, 60s);
  for (std::uint32_t i = 0; i < settings.channels; ++i)
    settings.kept.push_back(world.one_in(3) ? 5 + world.below(40) : 100'000);
  settings.delay_max = world.one_in(3) ? Duration(world.between(5ms, 150ms)) : Duration(2ms);
  Limits& limits = settings.limits;
  limits.ping_interval = 5s;
  limits.pong_timeout = 2s;
  limits.position_interval = 3s;
  limits.presence_lease = 6s;
  limits.queue_age_max = 8s;
  if (world.one_in(2)) limits.page_length_max = 3 + world.below(10);
  if (world.one_in(3)) limits.recovery_pages_max = 3 + world.below(4);
  if (world.one_in(3)) limits.link_credit_bytes = 2'000 + world.below(8'000);
  if (world.one_in(3)) limits.batch_bytes_max = 500 + world.below(2'000);
  if (world.one_in(3)) limits.queue_bytes_max = 2'000 + world.below(10'000);
  return settings;
}

}  // namespace peal::simulation
