#pragma once
// How long to pause before the next attempt: doubling, bounded, and never the same for all clients.

#include <algorithm>
#include <chrono>
#include <random>

#include "peal/redis/config.hpp"

namespace peal::redis {

/// Between a half and the whole of it.
inline std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>((time.count() + 1) / 2, time.count())(random));
}

inline std::chrono::milliseconds backoff(const Config& config, std::size_t failures) {
  constexpr std::size_t kDoublingsMax = 16;
  const auto doubled =
      config.reconnect_min * (std::int64_t{1} << std::min(failures, kDoublingsMax));
  return jittered(std::min<std::chrono::milliseconds>(doubled, config.reconnect_max));
}

}  // namespace peal::redis
