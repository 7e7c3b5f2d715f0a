#pragma once
// How fast many things are done that must not be done at once: evenly over a time, and never more
// than a share of them a second, also after a stall. Pure: time comes with each call.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace peal::gateway {

class Pacer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Plan {
    std::size_t all = 0;
    std::chrono::milliseconds time{0};
    double per_second_max = 0;  ///< 0: as `time` asks
  };
  Pacer(const Plan& plan, TimePoint start) : plan_(plan), start_(start), last_(start) {}

  /// How many more are due now; they count as done.
  std::size_t due(TimePoint now) {
    const std::chrono::duration<double> passed = now - start_, since = now - last_;
    last_ = now;
    const double part = over(now) ? 1.0 : passed / std::chrono::duration<double>(plan_.time);
    auto wanted = static_cast<std::size_t>(part * static_cast<double>(plan_.all)) - done_;
    if (plan_.per_second_max > 0) {
      // What was not used is kept for a tenth of a second, so that a stall is not made up for.
      const double most = std::max(plan_.per_second_max / 10, 1.0);
      room_ = std::min(room_ + plan_.per_second_max * since.count(), most);
      wanted = std::min(wanted, static_cast<std::size_t>(room_));
      room_ -= static_cast<double>(wanted);
    }
    done_ += wanted;
    return wanted;
  }
  bool over(TimePoint now) const { return now - start_ >= plan_.time; }
  bool finished() const { return done_ >= plan_.all; }

 private:
  Plan plan_;
  TimePoint start_;
  TimePoint last_;
  std::size_t done_ = 0;
  double room_ = 0;
};

/// When those are asked to come back that were sent away: somewhere within `within`, neighbours
/// far apart and any run of them evenly (multiples of the golden ratio). Each of several beginners
/// begins elsewhere.
class Comebacks {
 public:
  Comebacks(std::chrono::milliseconds within, std::size_t beginner)
      : within_(within), place_(std::fmod(0.7548776662 * static_cast<double>(beginner), 1.0)) {}

  std::chrono::milliseconds next() {
    place_ = std::fmod(place_ + 0.6180339887498949, 1.0);
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(place_ * static_cast<double>(within_.count())));
  }

 private:
  std::chrono::milliseconds within_;
  double place_;
};

}  // namespace peal::gateway
