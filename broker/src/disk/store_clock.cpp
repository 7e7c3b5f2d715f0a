#include "disk/store_clock.hpp"

#include <time.h>

#include <algorithm>
#include <fstream>

namespace peal::disk {
namespace {

StoreTime clock_time(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::duration_cast<StoreTime>(std::chrono::seconds(now.tv_sec) +
                                               std::chrono::nanoseconds(now.tv_nsec));
}

StoreTime start_of(const std::optional<SavedClock>& last, const ClockReading& now) {
  if (!last) return now.wall;
  const bool same_boot = !now.boot_id.empty() && now.boot_id == last->boot_id;
  const StoreTime away = same_boot ? now.boot - last->boot : now.wall - last->wall;
  return last->store + std::max(away, StoreTime{});
}

}  // namespace

ClockReading read_clocks() {
  static const std::string boot_id = [] {
    std::string id;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
    return id;
  }();
  return {boot_id, clock_time(CLOCK_BOOTTIME), clock_time(CLOCK_REALTIME)};
}

StoreClock::StoreClock(const std::optional<SavedClock>& last, const ClockReading& now,
                       Steady steady_now)
    : start_(start_of(last, now)), steady_start_(steady_now) {}

StoreTime StoreClock::at(Steady time) const {
  return start_ + std::chrono::duration_cast<StoreTime>(time - steady_start_);
}

Steady StoreClock::steady(StoreTime time) const {
  return steady_start_ + (time - start_);
}

SavedClock StoreClock::saved(const ClockReading& now, Steady steady_now) const {
  return {at(steady_now), now.boot_id, now.boot, now.wall};
}

}  // namespace peal::disk
