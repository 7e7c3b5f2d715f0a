// Connections that do nothing, come and go: memory of each, the rate at which they come, what they
// leave.
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// What the kernel holds for sockets and the like: its slabs and the pages of TCP's queues.
double kernel_bytes() {
  double bytes = 0;
  std::string word;
  std::ifstream memory("/proc/meminfo");
  while (memory >> word)
    if (word == "Slab:") {
      memory >> bytes;
      bytes *= 1024;
      break;
    }
  return bytes;
}

bool hold(ContenderProcess& process, std::size_t count, bool tls, const char* bar) {
  Swarm swarm(process.port(), tls);
  swarm.open(64, [](std::size_t) { return "bench:0"; });  // what only the first ones cost
  const Stat before = process.stat(true);
  const double kernel_before = kernel_bytes();
  const auto begin = Clock::now();
  swarm.open(count, [](std::size_t) { return "bench:0"; });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double kernel = kernel_bytes() - kernel_before;
  const Stat used = process.stat(true) - before;
  const auto n = static_cast<double>(count);
  std::printf(
      "  %-6s %zu idle, subscribed %s connections: %.0f bytes of process memory each%s, "
      "about %.1f KB in the kernel (both ends); %.0f a second, %.1f CPU-us each\n",
      process.name().c_str(), count, tls ? "TLS" : "plain", used.rss / n, bar, kernel / n / 1024,
      n / seconds, used.cpu_us / n);
  return swarm.ended() == 0 && (*bar == '\0' || used.rss / n <= 1024);
}

}  // namespace

bool idle(const Options& options) {
  const std::size_t count = options.full ? 10000 : 2000;
  bool good = true;
  {
    ContenderProcess peal("peal", {options.bin + "/bench_gateway"}, 0);
    good = hold(peal, count, false, " (bar 1024, aim 450)");
    const Stat stat = peal.stat();
    good = good && stat.connections <= static_cast<double>(count + 64);
  }
  ContenderProcess beast("beast", {options.bin + "/bench_beast", delivery("bench:0")}, 0);
  return hold(beast, count, false, "") && good;
}

bool idle_tls(const Options& options) {
  ContenderProcess peal("peal", {options.bin + "/bench_gateway", options.certificate, options.key},
                        0);
  return hold(peal, options.full ? 10000 : 1000, true, "");
}

bool connects(const Options& options) {
  const std::size_t count = options.full ? 9000 : 2000;
  const std::string size = std::to_string(publish_frame("bench:0").size());
  double floor_cpu = 0, floor_rate = 0;
  for (int i = 0; i < 2; ++i) {
    ContenderProcess process(
        i == 0 ? "floor" : "peal",
        i == 0 ? std::vector<std::string>{options.bin + "/bench_floor", size, delivery("bench:0")}
               : std::vector<std::string>{options.bin + "/bench_gateway"},
        0);
    const Stat before = process.stat();
    Swarm swarm(process.port());
    const auto begin = Clock::now();
    swarm.open(count, [](std::size_t) { return "bench:0"; });
    const double rate =
        static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - begin).count();
    const double cpu = (process.stat() - before).cpu_us / static_cast<double>(count);
    if (i == 0) {
      floor_cpu = cpu;
      floor_rate = rate;
    }
    std::printf("  %-6s %.0f connect, upgrade and subscribe a second, %.1f CPU-us each%s",
                process.name().c_str(), rate, cpu, i == 0 ? "\n" : "");
    if (i == 1)
      std::printf(": %.2f x the floor's rate, %.2f x by CPU (bar 0.7)\n", rate / floor_rate,
                  floor_cpu / cpu);
  }
  return true;
}

bool cycles(const Options& options) {
  const std::size_t all = options.full ? 100000 : 4000;
  constexpr std::size_t kAtOnce = 500;
  ContenderProcess process("peal", {options.bin + "/bench_gateway"}, 0);
  const auto cycle = [&](std::size_t times) {
    for (std::size_t done = 0; done < times; done += kAtOnce) {
      Swarm swarm(process.port());
      swarm.open(kAtOnce,
                 [&](std::size_t i) { return "cycle:" + std::to_string((done + i) % 7000); });
    }
    for (int i = 0; i < 200 && process.stat().connections > 0; ++i)
      ::poll(nullptr, 0, 10);
  };
  cycle(all / 20);
  const Stat before = process.stat(true);
  cycle(all);
  const Stat after = process.stat(true);
  const double growth = (after.rss - before.rss) / before.rss * 100;
  std::printf(
      "  after %zu connect, subscribe, close: %.0f connections, %.0f sessions, %.0f subscriptions, "
      "%.0f channels; memory %.1f MB, %+.1f %% (bar 5 %%)\n",
      all, after.connections, after.sessions, after.subscriptions, after.channels,
      after.rss / 1048576, growth);
  return after.connections + after.sessions + after.subscriptions + after.channels == 0 &&
         growth <= 5;
}

}  // namespace peal::bench
