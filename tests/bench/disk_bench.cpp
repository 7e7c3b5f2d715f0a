// What an append costs that is acknowledged only when it is on the disk, beside what the disk
// itself can do: writes of 4 KB with fdatasync in the same folder. Publishers keep so many appends
// unanswered each as `in flight` says; 64 of them share an fsync.
//
//   bench_disk [--seconds 1] [--bytes 128] [--folder DIR: where to measure, a temporary one]

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "peal/broker/disk_storage.hpp"
#include "peal/runtime/logger.hpp"
#include "temp_folder.hpp"

namespace peal::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  double seconds = 1;
  std::size_t bytes = 128;
  std::string folder;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") {
      options.seconds = std::atof(argv[i + 1]);
    } else if (name == "--bytes") {
      options.bytes = static_cast<std::size_t>(std::atol(argv[i + 1]));
    } else if (name == "--folder") {
      options.folder = argv[i + 1];
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// 4 KB appended and synced, again and again.
double syncs_per_second(const std::string& folder, double seconds) {
  const std::string path = folder + "/floor";
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return 0;
  const std::vector<char> block(4096, 'x');
  std::size_t count = 0;
  const auto began = Clock::now();
  while (seconds_since(began) < seconds) {
    if (write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) break;
    ++count;
  }
  const double took = seconds_since(began);
  close(file);
  unlink(path.c_str());
  return static_cast<double>(count) / took;
}

class Load final : public broker::LogStoreSink {
 public:
  Load(broker::DiskStorage& storage, const Limits& limits)
      : store_(storage.maker()(
            {*this, [](std::string_view) { return broker::ChannelOptions{.recoverable = true}; },
             limits, [this] { return ++random_; },
             [this] {
               const std::lock_guard lock(mutex_);
               wake_ = true;
               woken_.notify_one();
             },
             [](std::string_view) { return true; }})) {}
  ~Load() override {
    if (store_) store_->stop();
  }

  /// Appends acknowledged a second, with so many unanswered.
  double run(std::size_t in_flight, const Options& options) {
    const std::string payload(options.bytes, 'x');
    const std::size_t before = acknowledged_;
    std::size_t asked = acknowledged_;
    const auto began = Clock::now();
    while (seconds_since(began) < options.seconds) {
      while (asked - acknowledged_ < in_flight) {
        bus::PublishRequest request;
        request.id = ++asked;
        const std::string channel = "bench:" + std::to_string(asked % in_flight);
        request.channel = channel;
        request.publication.payload = payload;
        store_->append(1, request, Clock::now());
      }
      wait_and_turn();
    }
    while (acknowledged_ < asked)
      wait_and_turn();
    return static_cast<double>(acknowledged_ - before) / seconds_since(began);
  }
  /// Loads a log that nobody has asked for yet; how many publications it has.
  std::size_t touch(std::string_view channel) {
    bus::ReadRequest request;
    request.channel = channel;
    request.mode = bus::ReadRequest::Mode::reverse;
    request.limit = 1;
    store_->read(1, request, Clock::now());
    return kept_;
  }
  void stop() { store_.reset(); }
  std::size_t acknowledged() const { return acknowledged_; }
  std::size_t others() const { return others_; }

 private:
  void wait_and_turn() {
    store_->turn(Clock::now());
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, std::chrono::seconds(1), [this] { return wake_; });
      wake_ = false;
    }
    store_->turn(Clock::now());
  }
  void on_head(broker::LogId, const Result<Head>&) override {}
  void on_reset(broker::LogId, const Head&) override {}
  void on_appended(broker::LogId, const Epoch&, const PublicationView&) override {}
  void on_page(broker::PeerId, const bus::Page& page) override {
    if (!page.error) kept_ = page.head.top.value - page.head.floor.value;
  }
  void on_outcome(broker::PeerId, const bus::Published& outcome) override {
    const bool ok = outcome.status == bus::Published::Status::ok && !outcome.duplicate;
    ++(ok ? acknowledged_ : others_);
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
  std::uint64_t random_ = 0;
  std::size_t acknowledged_ = 0;
  std::size_t others_ = 0;
  std::size_t kept_ = 0;
  std::unique_ptr<broker::LogStore> store_;
};

/// A family's number in the text of /metrics.
double metric(const runtime::ProbeRegistry& probes, const std::string& name) {
  const std::string text = "\n" + probes.text();
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::atof(text.c_str() + at + name.size() + 2);
}

/// How long it takes to open again what the load left behind, and to touch one of its logs.
bool print_restart(const std::string& folder, const Limits& limits) {
  runtime::ProbeRegistry probes;
  const auto began = Clock::now();
  auto storage = broker::DiskStorage::open({.driver = "disk", .path = folder}, limits,
                                           runtime::Logger(), probes);
  if (!storage) return false;
  Load load(**storage, limits);
  const double opened = seconds_since(began);
  const auto touched = Clock::now();
  const std::size_t publications = load.touch("bench:0");
  std::printf("  open again: %.0f ms; first touch of a log of %zu publications: %.2f ms\n",
              opened * 1e3, publications, seconds_since(touched) * 1e3);
  return publications > 0;
}

int run(const Options& options) {
  const peal::test::TempFolder own;
  const std::string folder = (options.folder.empty() ? own.path() : options.folder) + "/store";
  Limits limits;
  limits.disk_free_min = 1024 * 1024;
  runtime::ProbeRegistry probes;
  auto storage = broker::DiskStorage::open({.driver = "disk", .path = folder}, limits,
                                           runtime::Logger(), probes);
  if (!storage) {
    std::fprintf(stderr, "%s\n", storage.error().message.c_str());
    return 1;
  }
  Load load(**storage, limits);
  std::printf("appends acknowledged on disk, %zu bytes each\n", options.bytes);
  double batched = 0;
  for (const std::size_t in_flight : {std::size_t{1}, std::size_t{64}}) {
    const double floor = syncs_per_second(folder, options.seconds / 2);
    const double commits = metric(probes, "peal_disk_commits_total");
    const std::size_t before = load.acknowledged();
    const double rate = load.run(in_flight, options);
    const double used = metric(probes, "peal_disk_commits_total") - commits;
    batched = static_cast<double>(load.acknowledged() - before) / used;
    std::printf(
        "  %2zu in flight: %8.0f/s, %5.1f a commit; 4 KB write + fdatasync: %6.0f/s (%.2f of it)\n",
        in_flight, rate, batched, floor, rate / floor);
  }
  load.stop();
  storage->reset();
  if (!print_restart(folder, limits)) return 1;
  if (load.others() != 0 || load.acknowledged() == 0) {
    std::fprintf(stderr, "%zu appends were not acknowledged\n", load.others());
    return 1;
  }
  if (batched <= 1.5) {
    std::fprintf(stderr, "64 publishers did not share commits\n");
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace peal::bench

int main(int argc, char** argv) {
  peal::bench::Options options;
  if (!peal::bench::parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: bench_disk [--seconds N] [--bytes N] [--folder DIR]\n");
    return 2;
  }
  return peal::bench::run(options);
}
