// One channel, 1,000 subscribers: against the floor at one and at eight messages a flush; open
// throttle.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kSubscribers = 1000;

struct Run {
  std::unique_ptr<ContenderProcess> process;
  std::unique_ptr<Swarm> swarm;
  std::unique_ptr<Publisher> publisher;
  std::vector<double> cpu_us, rate;  ///< per delivery; deliveries per second
};

Run start(std::string name, std::vector<std::string> command) {
  Run run;
  run.process = std::make_unique<ContenderProcess>(std::move(name), std::move(command), 0);
  run.swarm = std::make_unique<Swarm>(run.process->port());
  run.swarm->open(kSubscribers, [](std::size_t) { return "bench:0"; });
  run.publisher = std::make_unique<Publisher>(run.process->port());
  return run;
}

std::vector<Run> start_all(const Options& options, bool beast) {
  const std::string size = std::to_string(publish_frame("bench:0").size());
  std::vector<Run> runs;
  runs.push_back(start("floor", {options.bin + "/bench_floor", size, delivery("bench:0")}));
  runs.push_back(start("peal", {options.bin + "/bench_gateway"}));
  if (beast) runs.push_back(start("beast", {options.bin + "/bench_beast", delivery("bench:0")}));
  return runs;
}

// Publishes `each` messages at once, waits until every subscriber has them, and so on for `time`.
void lockstep(Run& run, std::size_t each, std::chrono::milliseconds time) {
  std::string frames;
  for (std::size_t i = 0; i < each; ++i)
    frames += publish_frame("bench:0");
  const std::size_t bytes = kSubscribers * each * delivery_frame_bytes("bench:0");
  const Stat before = run.process->stat();
  const auto begin = Clock::now();
  std::size_t rounds = 0;
  for (; Clock::now() - begin < time; ++rounds) {
    const std::uint64_t until = run.swarm->bytes() + bytes;
    run.publisher->send(frames);
    if (!run.swarm->read_until(until))
      throw std::runtime_error(run.process->name() + " lost something");
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double deliveries = static_cast<double>(rounds * each * kSubscribers);
  run.cpu_us.push_back((run.process->stat() - before).cpu_us / deliveries);
  run.rate.push_back(deliveries / seconds);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Options& options, std::vector<Run>& runs, std::size_t each, const char* bar) {
  for (Run& run : runs) {
    run.cpu_us.clear();
    run.rate.clear();
  }
  const std::size_t rounds = options.full ? 9 : 3;
  for (std::size_t i = 0; i < rounds; ++i)
    for (Run& run : runs)
      lockstep(run, each, std::chrono::milliseconds(options.full ? 500 : 200));
  const double floor = median(runs[0].cpu_us);
  for (Run& run : runs)
    std::printf(
        "  %zu a flush  %-6s %6.3f CPU-us a delivery  %8.0f deliveries/s  ratio to floor %.3f%s\n",
        each, run.process->name().c_str(), median(run.cpu_us), median(run.rate),
        floor / median(run.cpu_us), &run == &runs[1] ? bar : "");
}

// Publishes as fast as the server takes it, or at `rate` publications a second, for `time`.
struct Flood {
  double deliveries_per_second;
  double cpu_us;
  double per_flush;
  double busy;
  std::size_t ended;
};
Flood flood(Run& run, double rate, std::chrono::milliseconds time) {
  constexpr std::size_t kFrames = 64;
  std::string frames;
  for (std::size_t i = 0; i < kFrames; ++i)
    frames += publish_frame("bench:0");
  const double frame_bytes = static_cast<double>(frames.size()) / kFrames;
  const Stat before = run.process->stat();
  const std::uint64_t bytes_before = run.swarm->bytes();
  const auto begin = Clock::now();
  std::size_t at = 0;
  double sent = 0;
  while (Clock::now() - begin < time) {
    const double due =
        rate * std::chrono::duration<double>(Clock::now() - begin).count() * frame_bytes;
    while (rate == 0 || sent < due) {
      const std::size_t n = run.publisher->send_some(std::string_view(frames).substr(at));
      if (n == 0) break;
      sent += static_cast<double>(n);
      at = (at + n) % frames.size();
    }
    run.swarm->read(std::chrono::milliseconds(1));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double deliveries = static_cast<double>(run.swarm->bytes() - bytes_before) /
                            static_cast<double>(delivery_frame_bytes("bench:0"));
  const Stat used = run.process->stat() - before;
  if (at > 0) run.publisher->send(std::string_view(frames).substr(at));
  while (run.swarm->read(std::chrono::milliseconds(200)) > 0)
    continue;
  return {deliveries / seconds, used.cpu_us / deliveries, deliveries / used.flushes,
          used.cpu_us / 1e6 / seconds, run.swarm->ended()};
}

Flood print_median(const char* name, std::vector<Flood> all) {
  std::ranges::sort(all, {}, &Flood::deliveries_per_second);
  const Flood& middle = all[all.size() / 2];
  std::printf(
      "  %s  %.1f M deliveries/s (%.1f to %.1f), %.3f CPU-us each, %.1f a flush, server busy "
      "%.0f %%, sessions lost %zu\n",
      name, middle.deliveries_per_second / 1e6, all.front().deliveries_per_second / 1e6,
      all.back().deliveries_per_second / 1e6, middle.cpu_us, middle.per_flush, middle.busy * 100,
      middle.ended);
  return middle;
}

}  // namespace

bool fanout(const Options& options) {
  std::vector<Run> runs = start_all(options, options.full);
  compare(options, runs, 1, "  (bar 0.85, aim 0.95)");
  compare(options, runs, 8, "  (bar 0.80, aim 0.95)");
  return true;
}

// The two loads take turns and their medians are compared: memory bandwidth, which both live on,
// wavers by half from one second to the next.
bool throttle(const Options& options) {
  std::vector<Run> runs = start_all(options, false);
  const std::chrono::milliseconds time(options.full ? 1000 : 500);
  lockstep(runs[0], 1, time);
  const Flood first = flood(runs[1], 0, time);
  const double best = first.deliveries_per_second / kSubscribers;
  std::vector<Flood> open, twice;
  for (int round = 0; round < (options.full ? 7 : 3); ++round) {
    open.push_back(flood(runs[1], 0, time));
    twice.push_back(flood(runs[1], best * 2, time));
  }
  const Flood at_best = print_median("open throttle", open);
  std::printf("    %.1f x the floor's CPU, %.1f x its rate (bar 8, aim 12)\n",
              runs[0].cpu_us[0] / at_best.cpu_us, at_best.deliveries_per_second / runs[0].rate[0]);
  const Flood offered = print_median("offered 2.0 x", twice);
  std::printf("    %.0f %% of the best (bar 80 %%)\n",
              100 * offered.deliveries_per_second / at_best.deliveries_per_second);
  return open.back().ended + twice.back().ended == 0;
}

bool counts(const Options& options) {
  Run run = start("peal", {options.bin + "/bench_gateway"});
  lockstep(run, 1, std::chrono::milliseconds(100));
  const std::string frame = publish_frame("bench:0");
  const std::size_t bytes = kSubscribers * delivery_frame_bytes("bench:0");
  constexpr std::size_t kPublications = 200;
  const Stat before = run.process->stat();
  for (std::size_t i = 0; i < kPublications; ++i) {
    const std::uint64_t until = run.swarm->bytes() + bytes;
    run.publisher->send(frame);
    if (!run.swarm->read_until(until)) throw std::runtime_error("something was lost");
  }
  const Stat used = run.process->stat() - before;
  const double encodes = used.encodes / kPublications;
  const double flushes = used.flushes / kPublications / kSubscribers;
  const double allocations = used.allocations / kPublications;
  std::printf(
      "  per publication: %.3f encodes, %.4f sending system calls a delivery, %.2f allocations\n",
      encodes, flushes, allocations);
  const bool good = encodes == 1.0 && flushes <= 1.0 && allocations < 6.0;
  if (!good)
    std::printf("  FAILED: expected 1 encode, 1 system call a delivery, under 6 allocations\n");
  return good;
}

}  // namespace peal::bench
