// What plain ZeroMQ and plain Redis do with the same load, for a bus to stand beside: a publisher
// in this process, the middle in a process of its own (a ZeroMQ XSUB/XPUB forwarder, or
// redis-server), and so many subscribers, each of all channels, here again. Nothing of Peal's: no
// log, no positions, no rules, and what is not read in time is lost.
//
//   bench_bus_floor zmq|redis [--subscribers 3] [--channels 100] [--bytes 128] [--seconds 3]
//                             [--rate 0: as fast as the subscribers follow] [--window 4096]
//
// Prints a line of JSON: publications/s, what the middle's CPU paid for each, latency from the
// moment that a publication was due.

#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bench/client/histogram.hpp"
#include "bench/client/stamp.hpp"

namespace peal::bench {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::map<std::string, double> values{{"subscribers", 3}, {"channels", 100}, {"bytes", 128},
                                       {"seconds", 3},     {"rate", 0},       {"window", 4096}};
  std::size_t number(const char* name) const { return static_cast<std::size_t>(values.at(name)); }
};

/// One way to publish (one thread) and to hear (a thread each). What `publish` was given may wait
/// for `flush`; `hear` gives payloads until `end`, and then returns within a second.
class Medium {
 public:
  virtual ~Medium() = default;
  virtual void publish(const std::string& channel, std::string_view payload) = 0;
  virtual void flush() = 0;
  using Take = std::function<void(std::string_view payload)>;
  virtual void hear(const std::atomic<bool>& end, const Take& take) = 0;
  virtual pid_t middle() const = 0;
};

/// Ends with this process, whatever becomes of it.
pid_t fork_middle(const std::function<void()>& body) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent) body();
  _exit(1);
}

class ZmqMedium final : public Medium {
 public:
  explicit ZmqMedium(const std::string& folder)
      : in_("ipc://" + folder + "/in"), out_("ipc://" + folder + "/out") {
    middle_ = fork_middle([this] {
      zmq::context_t context;
      zmq::socket_t in(context, ZMQ_XSUB), out(context, ZMQ_XPUB);
      in.set(zmq::sockopt::rcvhwm, 0);
      out.set(zmq::sockopt::sndhwm, 0);
      in.bind(in_);
      out.bind(out_);
      zmq::proxy(in, out);
    });
    out_socket_.set(zmq::sockopt::sndhwm, 0);
    out_socket_.set(zmq::sockopt::linger, 0);
    out_socket_.connect(in_);
  }
  ~ZmqMedium() override {
    kill(middle_, SIGKILL);
    waitpid(middle_, nullptr, 0);
  }
  void publish(const std::string& channel, std::string_view payload) override {
    out_socket_.send(zmq::buffer(channel), zmq::send_flags::sndmore);
    out_socket_.send(zmq::buffer(payload), zmq::send_flags::none);
  }
  void flush() override {}
  void hear(const std::atomic<bool>& end, const Take& take) override {
    zmq::socket_t socket(context_, ZMQ_SUB);
    socket.set(zmq::sockopt::rcvhwm, 0);
    socket.set(zmq::sockopt::rcvtimeo, 100);
    socket.set(zmq::sockopt::subscribe, "bench:");
    socket.connect(out_);
    zmq::message_t channel, payload;
    while (!end) {
      if (!socket.recv(channel) || !socket.recv(payload)) continue;
      take(payload.to_string_view());
    }
  }
  pid_t middle() const override { return middle_; }

 private:
  const std::string in_, out_;
  pid_t middle_ = 0;
  zmq::context_t context_;
  zmq::socket_t out_socket_{context_, ZMQ_PUB};
};

class RedisMedium final : public Medium {
 public:
  explicit RedisMedium(const std::string& folder) : path_(folder + "/redis") {
    middle_ = fork_middle([&] {
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path_.c_str(), "--save",
             "", "--dir", folder.c_str(), "--logfile", (folder + "/log").c_str(),
             "--client-output-buffer-limit", "pubsub 0 0 0", nullptr);
    });
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    // Its socket is there before it listens.
    for (context_ = connect(); context_->err != 0 && std::chrono::steady_clock::now() < deadline;
         context_ = connect())
      std::this_thread::sleep_for(1ms);
  }
  ~RedisMedium() override {
    kill(middle_, SIGKILL);
    waitpid(middle_, nullptr, 0);
  }
  void publish(const std::string& channel, std::string_view payload) override {
    redisAppendCommand(context_.get(), "PUBLISH %b %b", channel.data(), channel.size(),
                       payload.data(), payload.size());
    if (++appended_ == 64) flush();
  }
  void flush() override {
    for (; appended_ > 0; --appended_)
      next_reply(*context_);
  }
  void hear(const std::atomic<bool>& end, const Take& take) override {
    const auto context = connect();
    redisSetTimeout(context.get(), {.tv_sec = 1, .tv_usec = 0});
    redisAppendCommand(context.get(), "PSUBSCRIBE bench:*");
    while (!end) {
      const auto reply = next_reply(*context);
      if (!reply) return;  // silence for a second: all is over
      if (reply->elements == 4) take({reply->element[3]->str, reply->element[3]->len});
    }
  }
  pid_t middle() const override { return middle_; }

 private:
  using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;
  using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;
  Context connect() const { return {redisConnectUnix(path_.c_str()), &redisFree}; }
  static Reply next_reply(redisContext& context) {
    void* reply = nullptr;
    redisGetReply(&context, &reply);
    return {static_cast<redisReply*>(reply), &freeReplyObject};
  }

  const std::string path_;
  pid_t middle_ = 0;
  Context context_{nullptr, &redisFree};
  std::size_t appended_ = 0;
};

double cpu_seconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Subscriber {
  std::thread thread;
  std::atomic<bool> joined{false};
  std::atomic<std::uint64_t> heard{0};
  Histogram latency;
};

class Run {
 public:
  Run(Medium& medium, const Options& options)
      : medium_(medium), options_(options), subscribers_(options.number("subscribers")) {
    for (std::size_t c = 0; c < options.number("channels"); ++c)
      channels_.push_back("bench:" + std::to_string(c));
    for (Subscriber& subscriber : subscribers_) {
      subscriber.thread = std::thread([this, &subscriber] {
        medium_.hear(end_, [&subscriber](std::string_view payload) { take(subscriber, payload); });
      });
    }
  }
  ~Run() {
    end_ = true;
    for (Subscriber& subscriber : subscribers_)
      subscriber.thread.join();
  }

  bool all_join() {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
      send(0);
      medium_.flush();
      if (std::ranges::all_of(subscribers_, [](const auto& each) { return each.joined.load(); }))
        return true;
      std::this_thread::sleep_for(1ms);  // the next try
    }
    return false;
  }

  void go() {
    const double cpu_before = cpu_seconds(medium_.middle());
    const std::uint64_t begun = steady_ns();
    const auto end =
        begun + static_cast<std::uint64_t>(options_.values.at("seconds") * 1'000'000'000);
    const double interval = options_.values.at("rate") > 0 ? 1e9 / options_.values.at("rate") : 0;
    for (std::uint64_t now = begun; now < end; now = steady_ns()) {
      const auto due = begun + static_cast<std::uint64_t>(static_cast<double>(sent_) * interval);
      if (interval > 0 && due > now) {
        medium_.flush();
        std::this_thread::sleep_for(std::chrono::nanoseconds(due - now));
        continue;
      }
      if (sent_ - least_heard() >= options_.number("window")) {
        medium_.flush();
        std::this_thread::yield();
        continue;
      }
      send(interval > 0 ? due : now);
      ++sent_;
    }
    medium_.flush();
    const auto patience = steady_ns() + 5'000'000'000U;
    while (least_heard() < sent_ && steady_ns() < patience)
      std::this_thread::yield();
    seconds_ = static_cast<double>(steady_ns() - begun) / 1e9;
    cpu_ = cpu_seconds(medium_.middle()) - cpu_before;
    end_ = true;
  }

  bool report(const std::string& kind) {
    Histogram latency;
    std::uint64_t heard = 0;
    for (const Subscriber& subscriber : subscribers_) {
      latency.merge(subscriber.latency);
      heard += subscriber.heard;
    }
    const std::uint64_t due = sent_ * subscribers_.size();
    std::printf(
        "{\"bench\":\"floor\",\"bus\":\"%s\",\"subscribers\":%zu,\"publications\":%llu,"
        "\"publications_per_second\":%.0f,\"lost\":%llu,\"middle_cpu_us_per_publication\":%.3f,"
        "\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
        kind.c_str(), subscribers_.size(), static_cast<unsigned long long>(sent_),
        static_cast<double>(sent_) / seconds_, static_cast<unsigned long long>(due - heard),
        cpu_ * 1e6 / static_cast<double>(sent_), static_cast<double>(latency.quantile(0.5)) / 1e3,
        static_cast<double>(latency.quantile(0.99)) / 1e3);
    return heard == due;
  }

 private:
  static void take(Subscriber& subscriber, std::string_view payload) {
    std::uint64_t due = 0;
    std::memcpy(&due, payload.data(), std::min(sizeof due, payload.size()));
    subscriber.joined = true;
    if (due == 0) return;  // sent to find out who hears
    subscriber.latency.add(steady_ns() - due);
    subscriber.heard.fetch_add(1, std::memory_order_release);
  }
  std::uint64_t least_heard() const {
    std::uint64_t least = ~0ULL;
    for (const Subscriber& subscriber : subscribers_)
      least = std::min(least, subscriber.heard.load(std::memory_order_acquire));
    return least;
  }
  void send(std::uint64_t due) {
    std::memcpy(payload_.data(), &due, sizeof due);
    medium_.publish(channels_[sent_ % channels_.size()], payload_);
  }

  Medium& medium_;
  const Options& options_;
  std::vector<std::string> channels_;
  std::string payload_ = std::string(std::max<std::size_t>(options_.number("bytes"), 8), 'x');
  std::atomic<bool> end_{false};
  std::vector<Subscriber> subscribers_;
  std::uint64_t sent_ = 0;
  double seconds_ = 0, cpu_ = 0;
};

int run(const std::string& kind, const Options& options) {
  std::string folder = (std::filesystem::temp_directory_path() / "peal-floor-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  bool whole = false;
  {
    std::unique_ptr<Medium> medium;
    if (kind == "zmq") {
      medium = std::make_unique<ZmqMedium>(folder);
    } else {
      medium = std::make_unique<RedisMedium>(folder);
    }
    Run run(*medium, options);
    if (run.all_join()) {
      run.go();
      whole = run.report(kind);
    } else {
      std::fprintf(stderr, "bench_bus_floor: nobody hears over %s\n", kind.c_str());
    }
  }
  std::filesystem::remove_all(folder);
  return whole ? 0 : 1;
}

}  // namespace
}  // namespace peal::bench

int main(int argc, char** argv) {
  peal::bench::Options options;
  const std::string kind = argc > 1 ? argv[1] : "";
  bool right = kind == "zmq" || kind == "redis";
  for (int i = 2; right && i + 1 < argc; i += 2) {
    const auto known = options.values.find(std::string(argv[i]).substr(2));
    right = known != options.values.end();
    if (right) known->second = std::stod(argv[i + 1]);
  }
  if (!right || argc % 2 != 0) {
    std::fprintf(stderr,
                 "usage: %s zmq|redis [--subscribers N] [--channels N] [--bytes N] [--seconds S] "
                 "[--rate N] [--window N]\n",
                 argv[0]);
    return 2;
  }
  return peal::bench::run(kind, options);
}
