// Logs in memory: appends a second of 128 bytes, what a retained publication and an idle
// recoverable channel take, beside the floor (payload and 16 bytes), and whether what the store
// counts against limits.log_bytes_max is what the allocator gave. It isn't when they are further
// apart than a tenth: then it ends with 1.
#include <malloc.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "peal/broker/log_store.hpp"

namespace {

using namespace peal;
using namespace peal::broker;

struct NoSink final : LogStoreSink {
  void on_head(LogId, const Result<Head>&) override {}
  void on_reset(LogId, const Head&) override { ++resets; }
  void on_appended(LogId, const Epoch&, const PublicationView&) override {}
  void on_outcome(PeerId, const bus::Published& outcome) override {
    appended += outcome.status == bus::Published::Status::ok ? 1 : 0;
  }
  void on_page(PeerId, const bus::Page&) override {}
  std::size_t appended = 0, resets = 0;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double heap() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

struct Workload {
  const char* name;
  std::size_t channels, publications;
  bool keyed = false;    ///< a key each, of 100
  bool sourced = false;  ///< each with a sequence of its channel's producer
};

/// False: the store counts something else than it takes.
bool measure(const Workload& work) {
  NoSink sink;
  std::uint64_t random = 0;
  const double empty = heap();
  const auto options = [](std::string_view) {
    ChannelOptions kept;
    kept.recoverable = true;
    kept.history_length_max = 100'000'000;
    kept.history_bytes_max = std::size_t{1} << 40U;
    return kept;
  };
  const auto store = make_memory_log_store(sink, options, Limits{}, [&] { return ++random; });
  const TimePoint now{std::chrono::hours(1)};
  const std::string payload(128, 'x');
  std::string channel, key;
  for (std::size_t i = 0; i < work.channels; ++i) {
    channel = "bench:channel:" + std::to_string(i);
    store->watch(i, channel, now);
  }
  const double idle = heap();
  const double start = cpu_seconds();
  for (std::size_t i = 0; i < work.publications; ++i) {
    channel = "bench:channel:" + std::to_string(i % work.channels);
    bus::PublishRequest request;
    request.channel = channel;
    request.publication.payload = payload;
    request.publication.time_ms = 1'700'000'000'000 + static_cast<std::int64_t>(i);
    if (work.keyed) key = "key-" + std::to_string(i % 100);
    request.publication.key = key;
    if (work.sourced) {
      request.publication.source = "producer";
      request.publication.sequence = {1, i + 1};
    }
    store->append(1, request, now);
  }
  const double spent = cpu_seconds() - start;
  const double taken = heap() - empty;
  const double counted = static_cast<double>(store->stats().bytes);
  std::printf("%-8s %7zu channels: %4.0f bytes idle each", work.name, work.channels,
              (idle - empty) / static_cast<double>(work.channels));
  if (work.publications != 0) {
    const auto publications = static_cast<double>(work.publications);
    std::printf("; %8zu publications: %4.0f bytes each (floor 144), %.2f M appends/s",
                work.publications, (taken - (idle - empty)) / publications,
                publications / spent * 1e-6);
  }
  std::printf("; counted %.2f of what is taken\n", counted / taken);
  const bool all = sink.appended == work.publications && sink.resets == 0;
  return all && std::abs(counted / taken - 1) < 0.1;
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
  const Workload workloads[] = {{"one", 1, publications},
                                {"many", publications / 100, publications},
                                {"idle", publications / 10, 0},
                                {"keyed", 10, publications, true},
                                {"sourced", publications / 100, publications, false, true}};
  bool good = true;
  for (const Workload& work : workloads)
    good = measure(work) && good;
  return good ? 0 : 1;
}
