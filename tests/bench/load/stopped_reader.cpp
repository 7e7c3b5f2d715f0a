// Whether one subscriber that has stopped reading is felt by the others: their p99 with and without
// it, measured from the moment a publication was due, at a steady rate.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Latency {
  double p50, p99;
  std::size_t count;
};

Latency measure(Swarm& swarm, Publisher& publisher, std::size_t first,
                std::chrono::microseconds every, std::size_t publications) {
  const std::string frame = publish_frame("bench:0");
  const std::size_t bytes = delivery_frame_bytes("bench:0");
  std::vector<std::uint64_t> seen(swarm.size(), 0);
  std::vector<Clock::time_point> due(publications);
  std::vector<double> latencies;
  latencies.reserve(publications * swarm.size());
  swarm.on_read = [&](std::size_t i, std::uint64_t all) {
    if (i < first) return;
    const auto now = Clock::now();
    for (; seen[i] < publications && all >= swarm.base(i) + (seen[i] + 1) * bytes; ++seen[i])
      latencies.push_back(std::chrono::duration<double, std::micro>(now - due[seen[i]]).count());
  };
  swarm.mark();
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < publications; ++i) {
    due[i] = begin + every * static_cast<int>(i);
    while (Clock::now() < due[i])
      swarm.read(std::chrono::milliseconds(0));
    publisher.send(frame);
  }
  for (int quiet = 0; quiet < 5;)
    quiet = swarm.read(std::chrono::milliseconds(50)) > 0 ? 0 : quiet + 1;
  swarm.on_read = nullptr;
  std::sort(latencies.begin(), latencies.end());
  if (latencies.empty()) return {0, 0, 0};
  return {latencies[latencies.size() / 2], latencies[latencies.size() * 99 / 100],
          latencies.size()};
}

}  // namespace

bool stopped_reader(const Options& options) {
  ContenderProcess process("peal", {options.bin + "/bench_gateway"}, 0);
  Swarm swarm(process.port());
  swarm.open(1000, [](std::size_t) { return "bench:0"; });
  Publisher publisher(process.port());
  const std::size_t publications = options.full ? 600 : 100;
  const std::chrono::microseconds every(10000);
  measure(swarm, publisher, 1, every, 50);
  const Latency all = measure(swarm, publisher, 1, every, publications);
  swarm.stop_reading(0);
  // Fills what the kernel holds for the one that stopped, so that the gateway has to queue for it.
  std::string much;
  for (int i = 0; i < 500; ++i)
    much += publish_frame("bench:0");
  for (int i = 0; i < 12; ++i) {
    publisher.send(much);
    while (swarm.read(std::chrono::milliseconds(20)) > 0)
      continue;
  }
  const Latency others = measure(swarm, publisher, 1, every, publications);
  std::printf(
      "  all read: p50 %.0f us, p99 %.0f us; one of 1,000 stopped: p50 %.0f us, p99 %.0f us, "
      "the others got %.2f %% of theirs\n",
      all.p50, all.p99, others.p50, others.p99,
      100.0 * static_cast<double>(others.count) / static_cast<double>(publications * 999));
  return others.count == publications * 999;
}

}  // namespace peal::bench
