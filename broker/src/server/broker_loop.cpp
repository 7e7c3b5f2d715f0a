#include "server/broker_loop.hpp"

#include <random>

namespace peal::broker {
namespace {

using namespace std::chrono_literals;

constexpr int kMessagesPerTurn = 256;
constexpr auto kBatchAgeMax = 200us;
constexpr auto kIdleMax = 100ms;
constexpr auto kHealthyWithin = 2s;
constexpr auto kComplainEvery = 10s;
constexpr auto kGoodbye = 200ms;

RandomSource seeded_random() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  return [engine = std::mt19937_64(seed)]() mutable { return engine(); };
}

std::int64_t milliseconds_of(bus::LinkTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

RouterConfig router_config(const BrokerLoopConfig& config, const Limits& limits,
                           std::uint64_t incarnation, bus::ZmqListener& listener) {
  return {bus::make_hello(config.cluster, config.node, incarnation, limits),
          config.link,
          limits,
          config.check_json,
          {.make = config.make_store, .wake = [&listener] { listener.wake(); }}};
}

}  // namespace

BrokerLoop::BrokerLoop(BrokerLoopConfig config, OptionsOf options_of, const Limits& limits,
                       const runtime::Logger& logger, runtime::ProbeRegistry& probes)
    : config_(std::move(config)),
      limits_(limits),
      logger_(logger.with("bus")),
      listener_(limits, logger_, probes),
      router_(router_config(config_, limits, seeded_random()(), listener_), std::move(options_of),
              *this, seeded_random(), probe_, logger_),
      probe_handle_(probes.add(probe_)),
      core_probe_handle_(probes.add(router_.core().probe())) {}

BrokerLoop::~BrokerLoop() {
  stop();
}

Result<void> BrokerLoop::start() {
  if (auto bound = listener_.bind(config_.listen, config_.curve, config_.insecure); !bound)
    return bound;
  endpoint_ = listener_.endpoint();
  last_turn_ms_ = milliseconds_of(std::chrono::steady_clock::now());
  thread_ = std::thread([this] { run(); });
  return {};
}

void BrokerLoop::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  listener_.wake();
  thread_.join();
}

void BrokerLoop::post(Task task) {
  bool first = false;
  {
    const std::lock_guard lock(tasks_mutex_);
    first = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  ++backlog_;
  if (first) listener_.wake();
}

bool BrokerLoop::healthy() const {
  const auto now = milliseconds_of(std::chrono::steady_clock::now());
  return now - last_turn_ms_.load() < std::chrono::milliseconds(kHealthyWithin).count();
}

bus::MessageSink::Sent BrokerLoop::send(const LinkKey& key, wire::Message& message) {
  const std::size_t bytes = message.header.size() + message.body.size();
  const auto sent = listener_.send(key, message);
  if (sent == bus::MessageSink::Sent::ok) probe_.message_sent(bytes);
  return sent;
}

void BrokerLoop::run() {
  while (!stopping_.load()) {
    const auto now = std::chrono::steady_clock::now();
    last_turn_ms_ = milliseconds_of(now);
    turn(now);
    if (!more_) listener_.wait(kIdleMax);
  }
  router_.close(fail(ErrorCode::draining, config_.node + " stops"));
  listener_.linger(kGoodbye);
}

void BrokerLoop::turn(bus::LinkTime now) {
  more_ = false;
  router_.begin_turn(now);
  run_tasks();
  for (int i = 0; i < kMessagesPerTurn && listener_.receive(); ++i) {
    if (listener_.frames() == 2) {
      router_.on_message(listener_.key(), listener_.frame(0), listener_.frame(1));
    } else {
      router_.on_garbage(listener_.key());
    }
    more_ = std::chrono::steady_clock::now() - now > kBatchAgeMax || i + 1 == kMessagesPerTurn;
    if (more_) break;
  }
  router_.end_turn();
  more_ = more_ || router_.busy();
  links_ = router_.linked();
  hear_failures(now);
}

void BrokerLoop::run_tasks() {
  {
    const std::lock_guard lock(tasks_mutex_);
    running_.swap(tasks_);
  }
  for (Task& task : running_)
    task(router_);
  backlog_ -= running_.size();
  running_.clear();
}

void BrokerLoop::hear_failures(bus::LinkTime now) {
  while (const auto failure = listener_.next_failure()) {
    probe_.handshake_failed();
    if (last_complaint_ != bus::LinkTime{} && now - last_complaint_ < kComplainEvery) continue;
    last_complaint_ = now;
    logger_.warn("a peer's handshake failed", {{"reason", *failure}});
  }
}

}  // namespace peal::broker
