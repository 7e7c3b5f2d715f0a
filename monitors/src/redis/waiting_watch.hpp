#pragma once
// Says in the log what an operator should know before it is too late: that much waits in Redis,
// that a stream may be trimmed before it is read, that Redis is nearly full or may evict what is
// needed. Each at most once a minute. Pure but for the log; time comes from outside.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "peal/runtime/logger.hpp"

namespace peal::monitor {

/// What waits in a source, as it was measured last.
struct Waiting {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< about
  /// Of a stream that is trimmed: how many there may be, and how many may still be added before
  /// some that were not read are lost.
  std::optional<std::uint64_t> ceiling{}, left{};
};

/// Of INFO memory.
struct RedisMemory {
  std::uint64_t used_bytes = 0;
  std::uint64_t max_bytes = 0;  ///< 0: no limit
  std::string_view policy;      ///< maxmemory-policy

  static RedisMemory parse(std::string_view info);
};

class WaitingWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  WaitingWatch(std::uint64_t waiting_warn, runtime::Logger logger);

  void measured(const Waiting& waiting, Time now);
  void remembered(const RedisMemory& memory, Time now);
  /// This instance reads nothing.
  void forget() { waiting_ = {}; }
  const Waiting& waiting() const { return waiting_; }

 private:
  /// Whether it may be said again; then it counts as said.
  static bool due(std::optional<Time>& said, Time now);

  const std::uint64_t waiting_warn_;
  const runtime::Logger logger_;
  Waiting waiting_;
  bool over_half_ = false;  ///< of the ceiling was unread, last time too
  bool evicts_said_ = false;
  std::optional<Time> many_said_, trim_said_, full_said_;
};

}  // namespace peal::monitor
