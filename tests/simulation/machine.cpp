#include "machine.hpp"

#include <algorithm>

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

}  // namespace

void Strand::wake() {
  World& world = machine_.world;
  if (due_ <= world.now() + 20us) return;
  plan(world.now() + world.between(20us, 200us));
}

void Strand::plan(Time when) {
  if (when >= due_) return;
  due_ = when;
  machine_.world.at(when, [this, when, alive = alive_] {
    if (*alive && due_ == when) run();
  });
}

void Strand::run() {
  due_ = Time::max();
  if (machine_.still()) return plan(machine_.still_until + 1us);
  const Here here(*this);
  const Duration sleep = turn_();
  plan(machine_.world.now() + std::max<Duration>(sleep, 50us));
}

}  // namespace peal::simulation
