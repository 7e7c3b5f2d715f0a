#include "world.hpp"

#include <utility>

namespace peal::simulation {

void World::at(Time when, std::function<void()> what) {
  planned_.push({std::max(when, now_), planned_ever_++, std::move(what)});
}

void World::run_until(Time end) {
  while (!planned_.empty() && planned_.top().when <= end) {
    now_ = planned_.top().when;
    // The queue only gives a const view; what is run may plan more, so it is taken out first.
    const std::function<void()> what = std::move(const_cast<Planned&>(planned_.top()).what);
    planned_.pop();
    ++events_;
    what();
  }
  now_ = std::max(now_, end);
}

void World::add_line() {
  const auto mix = [this](std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; };
  const auto time = static_cast<std::uint64_t>(age().count());
  for (int shift = 0; shift < 64; shift += 8)
    mix(time >> shift & 0xff);
  for (const char c : line_)
    mix(static_cast<unsigned char>(c));
  if (trace_ == nullptr) return;
  const auto microseconds = std::to_string(time / 1000);
  *trace_ << std::string(12 - std::min<std::size_t>(12, microseconds.size()), ' ') << microseconds
          << " us  " << line_ << '\n';
}

}  // namespace peal::simulation
