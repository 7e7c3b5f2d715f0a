#pragma once
// Several Redis servers that belong together: a Cluster of masters, and a master with a replica
// under three Sentinels. Both are ready when made; a test moves slots and kills masters.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "redis_server.hpp"

namespace peal::test {

class RedisCluster {
 public:
  struct Options {
    std::size_t masters = 3;
    bool replicas = false;  ///< one of each master: of at(i) it is at(masters + i)
    std::vector<std::string> lines{};
  };

  explicit RedisCluster(const Options& options);
  RedisCluster() : RedisCluster(Options{}) {}

  RedisServer& at(std::size_t index) { return *servers_[index]; }
  std::size_t size() const { return servers_.size(); }
  std::vector<std::string> addresses() const;
  /// Which of the servers is the master of a slot, as they were made or as it was moved.
  std::size_t owner(std::uint16_t slot) const { return owners_[slot]; }

  /// The three steps of a move, as redis-cli --cluster reshard does them.
  void begin_move(std::uint16_t slot, std::size_t to);
  void move_keys(std::uint16_t slot, std::size_t to, std::size_t keys_max = 1000000);
  void end_move(std::uint16_t slot, std::size_t to);
  void move_slot(std::uint16_t slot, std::size_t to);

 private:
  void add(const Options& options);
  void meet_each_other() const;
  bool ready(std::size_t nodes) const;
  std::string id(std::size_t index) const { return servers_[index]->ask({"CLUSTER", "MYID"}); }

  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::array<std::size_t, 16384> owners_{};
};

class RedisSentinels {
 public:
  explicit RedisSentinels(std::vector<std::string> lines = {});

  /// The Sentinels' addresses; the master is called "mymaster".
  std::vector<std::string> addresses() const;
  /// 0 and 1; which of them is master changes.
  RedisServer& at(std::size_t index) { return *servers_[index]; }
  RedisServer& sentinel(std::size_t index) { return *sentinels_[index]; }
  /// The port that most Sentinels call the master's.
  std::uint16_t master_port() const;
  bool replica_in_sync() const;

 private:
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

}  // namespace peal::test
