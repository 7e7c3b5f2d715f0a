// 1,000 channels of one subscriber each, published over WebSocket: at saturation, and at 20,000 a
// second.
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kChannels = 1000;

std::string channel_name(std::size_t i) {
  return "bench:" + std::to_string(10000 + i);
}

struct Lane {
  Publisher publisher;
  std::string frames;  ///< one publish per channel, all of one size
  std::size_t at = 0;
};

struct Figures {
  double per_second, cpu_us, per_flush, busy;
};

// Every lane writes what it may: as fast as it goes (rate 0), or `rate` publishes a second in all.
Figures publish_for(ContenderProcess& process, Swarm& swarm, std::vector<Lane>& lanes, double rate,
                    std::chrono::milliseconds time) {
  const std::size_t frame = lanes[0].frames.size() / kChannels;
  const Stat before = process.stat();
  const std::uint64_t bytes_before = swarm.bytes();
  const auto begin = Clock::now();
  std::uint64_t sent = 0;
  for (std::size_t turn = 0; Clock::now() - begin < time; ++turn) {
    const double due = rate * std::chrono::duration<double>(Clock::now() - begin).count();
    if (rate == 0) {
      for (Lane& lane : lanes) {
        const std::size_t n =
            lane.publisher.send_some(std::string_view(lane.frames).substr(lane.at));
        lane.at = (lane.at + n) % lane.frames.size();
      }
    }
    for (; rate > 0 && static_cast<double>(sent) < due; ++sent) {
      Lane& lane = lanes[sent % lanes.size()];
      lane.publisher.send(std::string_view(lane.frames).substr(lane.at, frame));
      lane.at = (lane.at + frame) % lane.frames.size();
    }
    swarm.read(std::chrono::milliseconds(rate > 0 ? 0 : 1));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const double deliveries = static_cast<double>(swarm.bytes() - bytes_before) /
                            static_cast<double>(delivery_frame_bytes(channel_name(0)));
  const Stat used = process.stat() - before;
  for (Lane& lane : lanes)
    if (lane.at % frame != 0) {
      lane.publisher.send(std::string_view(lane.frames).substr(lane.at, frame - lane.at % frame));
      lane.at = (lane.at + frame - lane.at % frame) % lane.frames.size();
    }
  while (swarm.read(std::chrono::milliseconds(200)) > 0)
    continue;
  return {deliveries / seconds, used.cpu_us / deliveries, deliveries / used.flushes,
          used.cpu_us / 1e6 / seconds};
}

}  // namespace

bool channels(const Options& options) {
  ContenderProcess process("peal", {options.bin + "/bench_gateway"}, 0);
  Swarm swarm(process.port());
  swarm.open(kChannels, channel_name);
  std::string frames;
  for (std::size_t i = 0; i < kChannels; ++i)
    frames += publish_frame(channel_name(i));
  for (const std::size_t publishers : {1u, 8u}) {
    std::vector<Lane> lanes;
    for (std::size_t i = 0; i < publishers; ++i) {
      const std::size_t at = i * kChannels / publishers * (frames.size() / kChannels);
      lanes.push_back({Publisher(process.port()), frames, at});
    }
    const auto time = std::chrono::milliseconds(options.full ? 3000 : 500);
    const Figures full = publish_for(process, swarm, lanes, 0, time);
    std::printf(
        "  %zu publisher%s  saturation %.0f msg/s, %.2f CPU-us a publish and delivery (bar 1.5), "
        "%.1f a flush, server busy %.0f %%\n",
        publishers, publishers == 1 ? " " : "s", full.per_second, full.cpu_us, full.per_flush,
        full.busy * 100);
    const Figures paced = publish_for(process, swarm, lanes, 20000, time);
    std::printf(
        "  %zu publisher%s  at %.0f msg/s %.2f CPU-us a publish and delivery (bar 9), %.1f a "
        "flush\n",
        publishers, publishers == 1 ? " " : "s", paced.per_second, paced.cpu_us, paced.per_flush);
  }
  return true;
}

}  // namespace peal::bench
