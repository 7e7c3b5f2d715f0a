// Clients that come back: all of one channel at once, 100 publications behind, while others go on.
// Counts are asserted: each gets exactly what it missed, and the gateway has read the log once.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "load/messages.hpp"
#include "load/scenarios.hpp"
#include "load/swarm.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBehind = 100;
const std::string kChannel = "log:storm";

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Publishes one message and returns the epoch.
std::string publish_one(std::uint16_t port) {
  constexpr std::string_view kEpoch = R"("epoch":")";
  const std::string answer = post(port, "/channels/" + kChannel, message());
  const std::size_t at = answer.find(kEpoch);
  if (at == std::string::npos) throw std::runtime_error("not published: " + answer);
  return answer.substr(at + kEpoch.size(), 8);
}

/// The delivery of the last one, as a server's frame.
std::size_t live_bytes() {
  const std::string offset = R"(,"offset":)" + std::to_string(kBehind + 2);
  return delivery(kChannel).size() + offset.size() + 4;
}

/// The reply to who comes back at offset 1, as a server's frame.
std::size_t result_bytes(const std::string& epoch) {
  std::string result = R"({"id":1,"result":{"channel":")" + kChannel + R"(","epoch":")" + epoch +
                       R"(","offset":)" + std::to_string(kBehind + 1) +
                       R"(,"recovered":true,"publications":[)";
  for (std::size_t i = 0; i < kBehind; ++i)
    result += (i > 0 ? "," : "") + (R"({"offset":)" + std::to_string(i + 2)) + R"(,"message":)" +
              message() + "}";
  return result.size() + std::string("]}}").size() + 4;
}

/// Others: one publishes every 5 ms, one listens, and the time in between is taken.
class Bystander {
 public:
  explicit Bystander(std::uint16_t port) : swarm_(port), publisher_(port) {
    swarm_.open(1, [](std::size_t) { return "bench:0"; });
    thread_ = std::thread([this] { run(); });
  }
  ~Bystander() {
    stopping_ = true;
    thread_.join();
  }
  /// From now on times are kept / the 99th of a hundred of those kept, in ms.
  void keep(bool on) { keeping_ = on; }
  double p99() {
    std::ranges::sort(kept_);
    return kept_.empty() ? 0 : kept_[kept_.size() * 99 / 100];
  }
  std::size_t lost() const { return lost_; }

 private:
  void run() {
    const std::string frame = publish_frame("bench:0");
    const std::size_t bytes = delivery_frame_bytes("bench:0");
    while (!stopping_) {
      const auto begin = Clock::now();
      const std::uint64_t until = swarm_.bytes() + bytes;
      publisher_.send(frame);
      if (!swarm_.read_until(until)) ++lost_;
      if (keeping_) kept_.push_back(seconds_since(begin) * 1000);
      std::this_thread::sleep_until(begin + std::chrono::milliseconds(5));
    }
  }

  Swarm swarm_;
  Publisher publisher_;
  std::vector<double> kept_;
  std::atomic<bool> keeping_{false}, stopping_{false};
  std::atomic<std::size_t> lost_{0};
  std::thread thread_;
};

bool storm(const Options& options, std::size_t clients, const char* shards) {
  ContenderProcess process("peal", {options.bin + "/bench_gateway", "--shards", shards}, 0);
  const std::string epoch = publish_one(process.port());
  for (std::size_t i = 0; i < kBehind; ++i)
    publish_one(process.port());
  const std::size_t bytes = result_bytes(epoch);
  const std::string command =
      client_frame(R"({"id":1,"action":"subscribe","payload":{"channel":")" + kChannel +
                   R"(","since":{"epoch":")" + epoch + R"(","offset":1}}})");
  Bystander bystander(process.port());
  Swarm swarm(process.port());
  const auto begin = Clock::now();
  swarm.open(clients, [](std::size_t) { return ""; });
  const double connected = seconds_since(begin);
  const Stat before = process.stat(true);
  bystander.keep(true);
  const auto back = Clock::now();
  for (std::size_t i = 0; i < clients; ++i)
    swarm.send(i, command);
  const bool all = swarm.read_until(bytes * clients);
  const double recovered = seconds_since(back);
  bystander.keep(false);
  const Stat after = process.stat();
  const Stat used = after - before;
  const std::uint64_t live = swarm.bytes() + clients * live_bytes();
  publish_one(process.port());
  const bool goes_on = swarm.read_until(live);
  const double each = used.cpu_us / static_cast<double>(clients);
  std::printf(
      "  %zu clients, %s shard(s) on one core: connected in %.2f s, all recovered in %.2f s more "
      "(bar 5); %.0f read(s) of the log, %.1f CPU-us a recovery: %.0f a second and core (aim "
      "20000)\n  memory of the process: %.1f MB before, %.1f MB more after; others' p99 meanwhile "
      "%.1f ms\n",
      clients, shards, connected, recovered, used.reads, each, 1e6 / each, before.rss / 1e6,
      used.rss / 1e6, bystander.p99());
  const bool exact = all && goes_on && swarm.bytes() == live && swarm.ended() == 0;
  // A page that nobody asked for during a second is dropped, which a busy machine may bring about.
  const bool few_reads = used.reads >= 1 && used.reads <= 1 + std::floor(recovered);
  if (!exact || !few_reads || bystander.lost() != 0)
    std::printf("  FAILED: expected %zu bytes each and one read\n", bytes);
  return exact && few_reads && bystander.lost() == 0;
}

/// Memory of sessions with a channel of their own each.
double bytes_each(const Options& options, const std::string& prefix, std::size_t count) {
  ContenderProcess process("peal", {options.bin + "/bench_gateway"}, 0);
  Swarm swarm(process.port());
  const auto channel_of = [&](std::size_t i) { return prefix + std::to_string(i); };
  swarm.open(64, channel_of);
  const Stat before = process.stat(true);
  swarm.open(count, channel_of);
  return (process.stat(true) - before).rss / static_cast<double>(count);
}

}  // namespace

bool recoveries(const Options& options) {
  const std::size_t clients = options.full ? 10000 : 2000;
  bool good = storm(options, clients, "1");
  good = storm(options, clients, "2") && good;
  const std::size_t channels = options.full ? 10000 : 1000;
  const double ephemeral = bytes_each(options, "bench:", channels);
  const double recoverable = bytes_each(options, "log:", channels);
  std::printf(
      "  an idle session with a channel of its own: %.0f bytes, with a recoverable one %.0f "
      "(core included)\n",
      ephemeral, recoverable);
  return good;
}

}  // namespace peal::bench
