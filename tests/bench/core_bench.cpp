// What a publish costs on the embedded bus, from BusPort::publish to the sink's callbacks:
// nanoseconds of CPU per publish of 128 bytes to a channel at home, by channels and by publishes
// per turn. An allocation in the steady state is an error.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "peal/bus/embedded_bus.hpp"

namespace {

using namespace peal;

struct CountingSink final : bus::BusSink {
  void on_batch(std::span<const bus::Delivery> batch) override { deliveries += batch.size(); }
  void on_heads(std::span<const bus::HeadNotice>) override {}
  void on_published(std::span<const bus::Published> due) override { outcomes += due.size(); }
  void on_page(const bus::Page&) override {}
  void on_presence(const bus::PresenceAnswer&) override {}
  void on_presence_events(std::span<const bus::PresenceEvent>) override {}
  void on_state(const bus::BusState&) override {}
  std::size_t deliveries = 0, outcomes = 0;
};

struct NoWaker final : bus::Waker {
  void wake() noexcept override {}
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// False when something was lost or allocated.
bool measure(std::size_t channels, std::size_t per_turn, std::size_t publications) {
  runtime::ProbeRegistry probes;
  CountingSink sink;
  NoWaker waker;
  const auto bus = bus::make_embedded_bus(
      1, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{}, probes);
  bus::BusPort& port = bus->attach(sink, waker);
  if (!bus->start()) return false;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < channels; ++i) {
    names.push_back("bench:channel:" + std::to_string(i));
    port.watch({static_cast<std::uint32_t>(i), 1}, names.back());
  }
  port.turn();
  const std::string payload(128, 'x');
  std::size_t published = 0;
  const auto run = [&](std::size_t count) {
    for (std::size_t end = published + count; published < end;) {
      for (std::size_t i = 0; i < per_turn; ++i) {
        bus::PublishRequest request;
        request.id = ++published;
        request.channel = names[published * 7919 % channels];
        request.publication.payload = payload;
        port.publish(request);
      }
      port.turn();
    }
  };
  run(publications / 10);
  const auto allocated = test::allocations();
  const std::size_t before = published;
  const double start = cpu_seconds();
  run(publications);
  const double spent = cpu_seconds() - start;
  const auto allocations = test::allocations() - allocated;
  std::printf("%6zu channels, %3zu publishes a turn: %6.1f ns a publish, %llu allocations\n",
              channels, per_turn, 1e9 * spent / static_cast<double>(published - before),
              static_cast<unsigned long long>(allocations));
  return allocations == 0 && sink.deliveries == published && sink.outcomes == published;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t publications = 1'000'000;
  if (argc == 3 && std::strcmp(argv[1], "--publications") == 0) {
    publications = std::strtoull(argv[2], nullptr, 10);
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: %s [--publications N]\n", argv[0]);
    return 2;
  }
  bool good = true;
  for (const std::size_t channels : {1U, 10'000U}) {
    for (const std::size_t per_turn : {1U, 8U, 64U}) {
      good = measure(channels, per_turn, publications) && good;
    }
  }
  return good ? 0 : 1;
}
