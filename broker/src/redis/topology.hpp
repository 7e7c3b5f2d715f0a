#pragma once
// Who serves what: the masters and which of them has each slot. A single server, or the master that
// Sentinel names, has all of them. Pure: made of what CLUSTER NODES or a Sentinel said.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"
#include "peal/redis/reply.hpp"
#include "redis/endpoint.hpp"

namespace peal::redis {

struct Topology {
  static constexpr std::size_t kSlots = 16384;
  static constexpr std::uint16_t kNobody = 0xFFFF;

  struct Master {
    std::string id{};  ///< the Cluster's name of the node; elsewhere empty
    Endpoint endpoint{};
    std::uint64_t config_epoch = 0;
  };

  std::vector<Master> masters{};
  std::vector<std::uint16_t> owners = std::vector<std::uint16_t>(kSlots, kNobody);

  /// One master for everything.
  static Topology of_one(Endpoint endpoint, std::uint64_t config_epoch);
  /// The text of CLUSTER NODES; `asked_host` is whom it came from.
  static Result<Topology> from_cluster_nodes(std::string_view text, std::string_view asked_host);
  /// The replies to SENTINEL MASTER, which has the config epoch, and, asked right after it,
  /// SENTINEL GET-MASTER-ADDR-BY-NAME: the Sentinel that leads a failover has the new epoch before
  /// the first of them names the new master.
  static Result<Topology> from_sentinel(const Reply& master, const Reply& address);

  /// Of all masters, the highest; a view below one that was seen is old.
  std::uint64_t epoch() const;
  std::size_t slots_without_master() const;
};

}  // namespace peal::redis
