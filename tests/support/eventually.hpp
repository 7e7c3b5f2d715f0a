#pragma once
// Waits for a condition with a deadline, never for a time.

#include <chrono>
#include <functional>
#include <thread>

namespace peal::test {

/// Whether `condition` became true within `deadline`, which only a failure reaches.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace peal::test
