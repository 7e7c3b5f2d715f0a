// simulation --seed N [--verbose] [--plant NAME]       one run, told event by event
// simulation --seeds A..B [--jobs N] [--twice] [--plant NAME]   many; each failing seed is named
// With --plant it is a success when the mistake is found in at least one run.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <iostream>
#include <mutex>
#include <thread>

#include "arguments.hpp"
#include "run.hpp"

namespace peal::simulation {
namespace {

struct Wish {
  std::uint64_t first = 1, last = 0;
  std::uint64_t jobs = 2;
  Plant plant = Plant::none;
  bool verbose = false;
  bool twice = false;
};

struct Sum {
  std::uint64_t runs = 0, failed = 0, events = 0, publications = 0, deliveries = 0, told = 0;
  std::uint64_t crashes = 0;
  Duration simulated{};
};

class Simulation {
 public:
  explicit Simulation(const Wish& wish) : wish_(wish), next_(wish.first) {}

  int run() {
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < wish_.jobs; ++i)
      threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads)
      thread.join();
    const auto hours = std::chrono::duration<double, std::ratio<3600>>(sum_.simulated).count();
    std::cout << sum_.runs << " runs, " << hours << " simulated hours, " << sum_.events
              << " events, " << sum_.publications << " publications, " << sum_.deliveries
              << " deliveries, " << sum_.told << " told, " << sum_.crashes << " crashes, "
              << sum_.failed << " failed" << std::endl;
    if (wish_.plant != Plant::none) return sum_.failed > 0 ? 0 : 1;
    return sum_.failed == 0 ? 0 : 1;
  }

 private:
  void work() {
    for (;;) {
      const std::uint64_t seed = next_.fetch_add(1);
      if (seed > wish_.last || (wish_.plant != Plant::none && found_.load())) return;
      std::ostream* const trace = wish_.verbose ? &std::cout : nullptr;
      Outcome outcome = Run({seed, wish_.plant, trace}).outcome();
      if (wish_.twice && Run({seed, wish_.plant}).outcome().hash != outcome.hash)
        outcome.faults.push_back("a second run of the same seed was another one");
      count(seed, outcome);
    }
  }

  void count(std::uint64_t seed, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    ++sum_.runs;
    sum_.events += outcome.events;
    sum_.publications += outcome.publications;
    sum_.deliveries += outcome.deliveries;
    sum_.told += outcome.told;
    sum_.crashes += outcome.crashes;
    sum_.simulated += outcome.simulated;
    if (wish_.verbose) std::cout << "hash " << outcome.hash << '\n';
    if (outcome.faults.empty()) return;
    ++sum_.failed;
    found_ = true;
    std::cout << "seed " << seed << " (" << outcome.settings << "): " << outcome.faults.front()
              << "\n  and " << outcome.faults.size() - 1
              << " more; again: tests/simulation/run --seed " << seed << " --verbose";
    if (wish_.plant != Plant::none)
      std::cout << " --plant " << kPlantNames[static_cast<std::size_t>(wish_.plant)];
    std::cout << std::endl;
  }

  const Wish& wish_;
  std::atomic<std::uint64_t> next_;
  std::atomic<bool> found_{false};
  std::mutex mutex_;
  Sum sum_;
};

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

int usage(const std::string& why) {
  std::cerr << "simulation: " << why << "\n";
  return 2;
}

int main_with(const std::vector<std::string>& words) {
  Wish wish;
  std::string seed, seeds, plant;
  bool plants = false;
  cli::Arguments arguments;
  arguments.option("--seed", "N", seed, "one run");
  arguments.option("--seeds", "A..B", seeds, "many");
  arguments.option("--jobs", "N", wish.jobs, "runs at a time");
  arguments.option("--plant", "NAME", plant, "a mistake, to be found");
  arguments.flag("--plants", plants, "name the mistakes that can be planted");
  arguments.flag("--verbose", wish.verbose, "tell every event");
  arguments.flag("--twice", wish.twice, "each seed twice: it must be the same run");
  if (auto parsed = arguments.parse(words); !parsed) return usage(parsed.error().message);
  if (plants) {
    for (std::size_t i = 1; i < kPlantNames.size(); ++i)
      std::cout << kPlantNames[i] << '\n';
    return 0;
  }
  if (!plant.empty()) {
    const auto known = plant_of(plant);
    if (!known) return usage("no plant '" + plant + "'");
    wish.plant = *known;
  }
  if (!seed.empty()) {
    if (!read_number(seed, wish.first)) return usage("--seed takes a number");
    wish.last = wish.first;
    wish.jobs = 1;
  } else {
    const std::size_t dots = seeds.find("..");
    if (dots == std::string::npos || !read_number(seeds.substr(0, dots), wish.first) ||
        !read_number(seeds.substr(dots + 2), wish.last))
      return usage("needs --seed N or --seeds A..B");
  }
  return Simulation(wish).run();
}

}  // namespace
}  // namespace peal::simulation

int main(int argc, char** argv) {
  return peal::simulation::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
