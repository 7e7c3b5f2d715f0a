// What a publication costs the broker: a broker in a process of its own, gateways' buses in this
// one, one of which publishes as fast as its window of unanswered publishes allows. Printed is the
// broker process's CPU time (its ZeroMQ thread included) per publication and per gateway that it
// goes to.
//
//   bench_broker [--gateways 3] [--publications 400000] [--bytes 128] [--window 8192] [--channels
//   1]
//                [--max-us X: exit 1 above it]

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus_node.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "server/broker_loop.hpp"

namespace peal::bench {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::map<std::string, double> values{{"gateways", 3},  {"publications", 400'000}, {"bytes", 128},
                                       {"window", 8192}, {"channels", 1},           {"max-us", 0}};
  std::size_t number(const char* name) const { return static_cast<std::size_t>(values.at(name)); }
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const auto known = options.values.find(std::string(argv[i]).substr(2));
    if (known == options.values.end()) return false;
    known->second = std::stod(argv[i + 1]);
  }
  return argc % 2 == 1;
}

/// The child: a broker until its parent closes the pipe.
int run_broker(int endpoint_pipe, int end_pipe) {
  runtime::ProbeRegistry probes;
  broker::BrokerLoopConfig config;
  config.listen = "tcp://127.0.0.1:0";
  config.node = "broker";
  broker::BrokerLoop loop(
      config, [](std::string_view) { return broker::ChannelOptions{}; }, Limits{},
      runtime::Logger(), probes);
  if (!loop.start()) return 1;
  const std::string& endpoint = loop.endpoint();
  if (write(endpoint_pipe, endpoint.data(), endpoint.size()) < 0) return 1;
  char end = 0;
  [[maybe_unused]] const auto closed = read(end_pipe, &end, 1);
  loop.stop();
  return 0;
}

double cpu_seconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Counts instead of keeping.
class CountingSink final : public bus::test::RecordingSink {
 public:
  void on_batch(std::span<const bus::Delivery> batch) override { delivered += batch.size(); }
  void on_published(std::span<const bus::Published> due) override {
    answered += due.size();
    for (const auto& outcome : due)
      refused += outcome.status == bus::Published::Status::ok ? 0 : 1;
  }
  std::size_t delivered = 0;
  std::size_t answered = 0;
  std::size_t refused = 0;
};

struct Gateway {
  std::unique_ptr<bus::Bus> bus;
  std::unique_ptr<bus::test::BusNode> node;
  CountingSink* sink = nullptr;
};

std::vector<Gateway> make_gateways(const Options& options, const std::string& endpoint,
                                   runtime::ProbeRegistry& probes) {
  std::vector<Gateway> gateways(options.number("gateways"));
  for (std::size_t i = 0; i < gateways.size(); ++i) {
    bus::ZmqBusConfig config;
    config.connect = {endpoint};
    config.node = "gateway-" + std::to_string(i);
    auto sink = std::make_unique<CountingSink>();
    gateways[i].sink = sink.get();
    gateways[i].bus = std::move(*bus::make_zmq_bus(config, Limits{}, runtime::Logger(), probes));
    gateways[i].node = std::make_unique<bus::test::BusNode>(std::move(sink));
    auto& port = gateways[i].bus->attach(gateways[i].node->sink(), *gateways[i].node);
    if (!gateways[i].bus->start()) std::abort();
    gateways[i].node->start(port);
  }
  return gateways;
}

bool wait_until_watched(std::vector<Gateway>& gateways, const std::vector<std::string>& channels) {
  for (auto& gateway : gateways) {
    if (!gateway.node->heard(
            [](const auto& sink) { return !sink.states.empty() && sink.states.back().linked; }))
      return false;
    for (std::uint32_t c = 0; c < channels.size(); ++c)
      gateway.node->watch({c, 1}, channels[c]);
    if (!gateway.node->heard(
            [&](const auto& sink) { return sink.heads.size() == channels.size(); }))
      return false;
  }
  return true;
}

int run(const Options& options) {
  int endpoint_pipe[2], end_pipe[2];
  if (pipe(endpoint_pipe) != 0 || pipe(end_pipe) != 0) return 1;
  const pid_t broker = fork();
  if (broker == 0) {
    close(end_pipe[1]);
    _exit(run_broker(endpoint_pipe[1], end_pipe[0]));
  }
  std::string endpoint(256, '\0');
  const auto got = read(endpoint_pipe[0], endpoint.data(), endpoint.size());
  if (got <= 0) return 1;
  endpoint.resize(static_cast<std::size_t>(got));

  runtime::ProbeRegistry probes;
  auto gateways = make_gateways(options, endpoint, probes);
  std::vector<std::string> channels;
  for (std::size_t c = 0; c < options.number("channels"); ++c)
    channels.push_back("bench:" + std::to_string(c));
  if (!wait_until_watched(gateways, channels)) return 1;

  const std::string payload = '"' + std::string(options.number("bytes") - 2, 'x') + '"';
  const std::size_t publications = options.number("publications");
  constexpr std::size_t kBurst = 256;
  const double cpu_before = cpu_seconds(broker);
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t sent = 0; sent < publications;) {
    gateways[0].node->with([&](bus::BusPort& port, auto&) {
      for (std::size_t i = 0; i < kBurst && sent < publications; ++i) {
        ++sent;
        port.publish(bus::test::publish_request(channels[sent % channels.size()], payload, sent));
      }
    });
    gateways[0].node->heard(
        [&](const auto&) { return sent < gateways[0].sink->answered + options.number("window"); });
    for (auto& gateway : gateways) {  // a receiver that lags would be measured as drops
      gateway.node->heard(
          [&](const auto&) { return sent < gateway.sink->delivered + options.number("window"); },
          2s);
    }
  }
  for (auto& gateway : gateways) {
    gateway.node->heard([&](const auto&) { return gateway.sink->delivered >= publications; }, 5s);
  }
  const double cpu = cpu_seconds(broker) - cpu_before;
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::size_t delivered = 0;
  for (auto& gateway : gateways) {
    delivered += gateway.sink->delivered;
    gateway.node->stop();
    gateway.bus->stop();
  }
  const double each = cpu * 1e6 / static_cast<double>(publications * gateways.size());
  std::printf(
      "{\"bench\":\"broker\",\"gateways\":%zu,\"publications\":%zu,\"bytes\":%zu,\"channels\":%zu,"
      "\"publications_per_second\":%.0f,\"delivered\":%zu,\"lost\":%zu,\"refused\":%zu,"
      "\"broker_cpu_us_per_publication\":%.3f,\"broker_cpu_us_per_publication_and_gateway\":%.3f}"
      "\n",
      gateways.size(), publications, payload.size(), channels.size(),
      static_cast<double>(publications) / wall, delivered,
      publications * gateways.size() - delivered, gateways[0].sink->refused,
      cpu * 1e6 / static_cast<double>(publications), each);
  close(end_pipe[1]);
  waitpid(broker, nullptr, 0);
  const double bar = options.values.at("max-us");
  // Within its window nothing may be lost; time is judged only when asked for.
  const bool whole = delivered == publications * gateways.size();
  return whole && (bar <= 0 || each <= bar) ? 0 : 1;
}

}  // namespace
}  // namespace peal::bench

int main(int argc, char** argv) {
  peal::bench::Options options;
  if (!peal::bench::parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: %s [--gateways N] [--publications N] [--bytes N] [--window N] "
                 "[--channels N] [--max-us X]\n",
                 argv[0]);
    return 2;
  }
  return peal::bench::run(options);
}
