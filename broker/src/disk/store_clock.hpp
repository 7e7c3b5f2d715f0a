#pragma once
// The time that rows carry: milliseconds that only go forward, over restarts too. While a process
// runs it follows the steady clock, whatever somebody does to the wall clock. Between two runs on
// the same boot of the machine it follows the boot clock, so a jump of the wall clock ages nothing;
// only over a reboot must the wall clock be believed, and never backwards. Pure: readings come in.

#include <chrono>
#include <optional>
#include <string>

namespace peal::disk {

using StoreTime = std::chrono::duration<std::int64_t, std::milli>;
using Steady = std::chrono::steady_clock::time_point;

/// What the machine's clocks say at one moment.
struct ClockReading {
  std::string boot_id;  ///< differs from boot to boot; empty: unknown
  StoreTime boot{};     ///< since the machine booted, time asleep included
  StoreTime wall{};     ///< Unix time
};
ClockReading read_clocks();

/// The same moment on the store's own clock and the machine's.
struct SavedClock {
  StoreTime store{};
  std::string boot_id;
  StoreTime boot{};
  StoreTime wall{};
};

class StoreClock {
 public:
  /// Goes on where the last run was, or begins with the wall clock.
  StoreClock(const std::optional<SavedClock>& last, const ClockReading& now, Steady steady_now);

  StoreTime at(Steady time) const;
  Steady steady(StoreTime time) const;
  SavedClock saved(const ClockReading& now, Steady steady_now) const;

 private:
  StoreTime start_;
  Steady steady_start_;
};

}  // namespace peal::disk
