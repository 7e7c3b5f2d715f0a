#pragma once
// The world of one simulated run: one clock, one queue of what is to happen, one source of chance
// and one thread. Everything that happens is added to a trace, of which a hash is kept: the same
// seed gives the same hash. Things due at one moment happen in the order in which they were
// planned.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace peal::simulation {

using Time = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class World {
 public:
  /// Where the clock begins: far from 0, as a machine's that has been up for a while.
  static constexpr Time kBegin{std::chrono::hours(100)};

  /// What happens is written to `trace`; null: only hashed.
  explicit World(std::uint64_t seed, std::ostream* trace = nullptr)
      : random_(seed), trace_(trace) {}

  Time now() const { return now_; }
  Duration age() const { return now_ - kBegin; }
  void at(Time when, std::function<void()> what);
  void after(Duration time, std::function<void()> what) { at(now_ + time, std::move(what)); }
  void run_until(Time end);

  std::uint64_t random() { return random_(); }
  /// 0 … count - 1.
  std::uint64_t below(std::uint64_t count) { return random_() % count; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  Duration between(Duration least, Duration most) {
    return least + Duration(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }

  template <class... Words>
  void tell(const Words&... words) {
    line_.clear();
    (append(words), ...);
    add_line();
  }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }

 private:
  struct Planned {
    Time when;
    std::uint64_t number;
    std::function<void()> what;
    bool operator>(const Planned& other) const {
      return when != other.when ? when > other.when : number > other.number;
    }
  };
  void append(std::string_view text) { (line_ += text) += ' '; }
  void append(const char* text) { append(std::string_view(text)); }
  void append(const std::string& text) { append(std::string_view(text)); }
  template <class Number>
  void append(Number number) {
    (line_ += std::to_string(number)) += ' ';
  }
  void add_line();

  Time now_ = kBegin;
  std::mt19937_64 random_;
  std::ostream* trace_;
  std::priority_queue<Planned, std::vector<Planned>, std::greater<>> planned_;
  std::uint64_t planned_ever_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::string line_;
};

}  // namespace peal::simulation
