// Server-sent events beside WebSocket: the same fan-out to 1,000 readers of one channel, as an
// event that all share, with its position in it, and behind an id line of each reader's own.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReaders = 1000;
constexpr std::size_t kBytesOfEpoch = 8;

struct Way {
  const char* name;
  const char* channel;
  const char* query;        ///< null: WebSocket
  std::size_t id_channels;  ///< positions in each event's id
  std::unique_ptr<ContenderProcess> process{};
  std::unique_ptr<Swarm> swarm{};
  std::unique_ptr<Publisher> publisher{};
  std::uint64_t published = 0;
  std::vector<double> cpu_us{};
};

/// What reader and event number `offset` of the log cost on the wire.
std::size_t event_bytes(const Way& way, std::uint64_t offset) {
  const std::string number = std::to_string(offset);
  std::size_t bytes = std::string("data: \n\n").size() + delivery(way.channel).size();
  if (way.id_channels == 0) return bytes;
  bytes += std::string(R"(,"offset":)").size() + number.size();
  bytes += std::string("id: -\n").size() + kBytesOfEpoch + number.size();
  if (way.id_channels > 1)  // the others of the stream stay at 0
    bytes += std::string("1.").size() +
             (way.id_channels - 1) * (std::string(".-0").size() + kBytesOfEpoch);
  return bytes;
}

void open(Way& way, const Options& options) {
  way.process = std::make_unique<ContenderProcess>(
      way.name, std::vector<std::string>{options.bin + "/bench_gateway"}, 0);
  way.swarm = std::make_unique<Swarm>(way.process->port());
  if (way.query == nullptr)
    way.swarm->open(kReaders, [&](std::size_t) { return way.channel; });
  else
    way.swarm->open_streams(kReaders, way.query, std::max<std::size_t>(way.id_channels, 1));
  way.publisher = std::make_unique<Publisher>(way.process->port());
}

// One message, all its deliveries, the next one; CPU per delivery.
double lockstep(Way& way, std::chrono::milliseconds time, std::size_t most) {
  const std::string frame = publish_frame(way.channel);
  const Stat before = way.process->stat();
  const auto begin = Clock::now();
  std::size_t rounds = 0;
  for (; rounds < most && Clock::now() - begin < time; ++rounds) {
    const std::size_t bytes = way.query == nullptr ? delivery_frame_bytes(way.channel)
                                                   : event_bytes(way, way.published + 1);
    ++way.published;
    const std::uint64_t until = way.swarm->bytes() + bytes * kReaders;
    way.publisher->send(frame);
    if (!way.swarm->read_until(until)) throw std::runtime_error("an event was lost");
  }
  return (way.process->stat() - before).cpu_us / static_cast<double>(rounds * kReaders);
}

bool counted(Way& way) {
  constexpr std::size_t kPublications = 100;
  const Stat before = way.process->stat();
  lockstep(way, std::chrono::hours(1), kPublications);
  const Stat used = way.process->stat() - before;
  const double encodes = used.encodes / kPublications;
  const double flushes = used.flushes / kPublications / kReaders;
  std::printf(
      "  %-22s %.2f encodes a publication, %.3f system calls a delivery, %.2f allocations\n",
      way.name, encodes, flushes, used.allocations / kPublications);
  return encodes == 1.0 && flushes <= 1.0;
}

}  // namespace

bool streams(const Options& options) {
  Way ways[] = {{"WebSocket", "bench:0", nullptr, 0},
                {"SSE", "bench:0", "channel=bench:0", 0},
                {"SSE, own position", "log:0", "channel=log:0", 1},
                {"SSE, id of 2 channels", "log:0", "channel=log:0&channel=log:1", 2},
                {"SSE, id of 20 channels", "log:0", nullptr, 20}};
  std::string twenty = "channel=log:0";
  for (int i = 1; i < 20; ++i)
    twenty += "&channel=log:" + std::to_string(i);
  ways[4].query = twenty.c_str();
  bool good = true;
  for (Way& way : ways) {
    open(way, options);
    good = counted(way) && good;
  }
  if (!good) std::printf("  FAILED: expected 1 encode and 1 system call a delivery\n");
  if (!options.full) return good;
  for (int round = 0; round < 7; ++round)
    for (Way& way : ways)
      way.cpu_us.push_back(lockstep(way, std::chrono::milliseconds(300), 1'000'000));
  const auto median = [](std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
  };
  for (const Way& way : ways)
    std::printf("  %-22s %6.3f CPU-us a delivery, %.2f x WebSocket\n", way.name, median(way.cpu_us),
                median(way.cpu_us) / median(ways[0].cpu_us));
  return good;
}

}  // namespace peal::bench
