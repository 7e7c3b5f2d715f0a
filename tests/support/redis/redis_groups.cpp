#include "redis_groups.hpp"

#include <map>
#include <sstream>
#include <stdexcept>

#include "eventually.hpp"

namespace peal::test {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t kSlots = 16384;

void expect_ok(const std::string& reply) {
  if (reply != "OK") throw std::runtime_error("Redis says: " + reply);
}

/// What a server says in a list of names and values, a line each.
std::string field(const std::string& lines, const std::string& name) {
  std::istringstream input(lines);
  std::string key;
  std::string value;
  while (std::getline(input, key) && std::getline(input, value)) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

RedisCluster::RedisCluster(const Options& options) {
  const std::size_t masters = options.masters;
  for (std::size_t i = 0; i < masters; ++i) {
    add(options);
    const std::size_t first = i * kSlots / masters;
    const std::size_t end = (i + 1) * kSlots / masters;
    for (std::size_t slot = first; slot < end; ++slot)
      owners_[slot] = i;
    expect_ok(servers_[i]->ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}));
    expect_ok(servers_[i]->ask(
        {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(end - 1)}));
  }
  for (std::size_t i = 0; options.replicas && i < masters; ++i)
    add(options);
  meet_each_other();
  if (!eventually([this] { return ready(servers_.size()); }, 60s)) {
    throw std::runtime_error("no Cluster: " + servers_[0]->ask({"CLUSTER", "NODES"}));
  }
  for (std::size_t i = masters; i < servers_.size(); ++i) {
    expect_ok(servers_[i]->ask({"CLUSTER", "REPLICATE", id(i - masters)}));
  }
  for (std::size_t i = masters; i < servers_.size(); ++i) {
    if (!eventually([&] { return servers_[i]->info("master_link_status") == "up"; }, 60s)) {
      throw std::runtime_error("no replica: " + servers_[i]->log());
    }
  }
}

void RedisCluster::add(const Options& options) {
  servers_.push_back(
      std::make_unique<RedisServer>(RedisServer::Options{.lines = options.lines, .cluster = true}));
}

/// Everybody everybody, which is quicker than gossip.
void RedisCluster::meet_each_other() const {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    for (std::size_t other = 0; other < i; ++other) {
      expect_ok(
          servers_[i]->ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(servers_[other]->port()),
                            servers_[other]->bus_port()}));
    }
  }
}

bool RedisCluster::ready(std::size_t nodes) const {
  for (const auto& server : servers_) {
    if (server->info("cluster_state") != "ok" ||
        server->info("cluster_known_nodes") != std::to_string(nodes) ||
        server->info("cluster_slots_assigned") != std::to_string(kSlots)) {
      return false;
    }
  }
  return true;
}

std::vector<std::string> RedisCluster::addresses() const {
  std::vector<std::string> all;
  for (const auto& server : servers_)
    all.push_back(server->address());
  return all;
}

void RedisCluster::begin_move(std::uint16_t slot, std::size_t to) {
  const std::size_t from = owners_[slot];
  const std::string number = std::to_string(slot);
  expect_ok(servers_[to]->ask({"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)}));
  expect_ok(servers_[from]->ask({"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)}));
}

void RedisCluster::move_keys(std::uint16_t slot, std::size_t to, std::size_t keys_max) {
  RedisServer& from = *servers_[owners_[slot]];
  std::istringstream keys(
      from.ask({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(keys_max)}));
  std::string key;
  while (std::getline(keys, key)) {
    expect_ok(
        from.ask({"MIGRATE", "127.0.0.1", std::to_string(servers_[to]->port()), key, "0", "5000"}));
  }
}

void RedisCluster::end_move(std::uint16_t slot, std::size_t to) {
  const std::string number = std::to_string(slot);
  const std::string owner = id(to);
  expect_ok(servers_[to]->ask({"CLUSTER", "SETSLOT", number, "NODE", owner}));
  for (const auto& server : servers_) {
    if (server != servers_[to])
      expect_ok(server->ask({"CLUSTER", "SETSLOT", number, "NODE", owner}));
  }
  owners_[slot] = to;
}

void RedisCluster::move_slot(std::uint16_t slot, std::size_t to) {
  begin_move(slot, to);
  move_keys(slot, to);
  end_move(slot, to);
}

RedisSentinels::RedisSentinels(std::vector<std::string> lines) {
  servers_.push_back(std::make_unique<RedisServer>(lines));
  lines.push_back("replicaof 127.0.0.1 " + std::to_string(servers_[0]->port()));
  servers_.push_back(std::make_unique<RedisServer>(lines));
  if (!eventually([this] { return replica_in_sync(); }, 60s)) {
    throw std::runtime_error("no replica:\n" + servers_[1]->log());
  }
  for (int i = 0; i < 3; ++i) {
    sentinels_.push_back(std::make_unique<RedisServer>(
        RedisServer::Options{.lines = {"sentinel monitor mymaster 127.0.0.1 " +
                                           std::to_string(servers_[0]->port()) + " 2",
                                       "sentinel down-after-milliseconds mymaster 1000",
                                       "sentinel failover-timeout mymaster 6000"},
                             .sentinel = true}));
  }
  const auto ready = [this] {
    for (const auto& sentinel : sentinels_) {
      const std::string says = sentinel->ask({"SENTINEL", "MASTER", "mymaster"});
      if (field(says, "num-other-sentinels") != "2" || field(says, "num-slaves") != "1" ||
          field(says, "flags") != "master") {
        return false;
      }
    }
    return true;
  };
  if (!eventually(ready, 60s)) throw std::runtime_error("the Sentinels don't meet");
}

std::vector<std::string> RedisSentinels::addresses() const {
  std::vector<std::string> all;
  for (const auto& sentinel : sentinels_)
    all.push_back(sentinel->address());
  return all;
}

std::uint16_t RedisSentinels::master_port() const {
  std::map<int, int> votes;
  for (const auto& sentinel : sentinels_) {
    const std::string port = field(sentinel->ask({"SENTINEL", "MASTER", "mymaster"}), "port");
    if (!port.empty() && ++votes[std::stoi(port)] == 2) {
      return static_cast<std::uint16_t>(std::stoi(port));
    }
  }
  return 0;
}

bool RedisSentinels::replica_in_sync() const {
  for (const auto& server : servers_) {
    if (server->info("role") == "slave" && server->info("master_link_status") == "up") return true;
  }
  return false;
}

}  // namespace peal::test
