#include "server/broker_loop.hpp"

#include <algorithm>
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

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

std::uint64_t wall_milliseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::int64_t milliseconds_of(bus::LinkTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string_view name_of(StoreKind store) {
  switch (store) {
    case StoreKind::disk:
      return "disk";
    case StoreKind::redis:
      return "redis";
    case StoreKind::memory:
      break;
  }
  return "memory";
}

std::vector<std::string> names_of(const std::vector<bus::BrokerAddress>& members) {
  std::vector<std::string> names;
  if (members.size() < 2) return names;
  for (const bus::BrokerAddress& member : members)
    names.push_back(member.name);
  return names;
}

wire::Hello hello_of(const BrokerLoopConfig& config, const Limits& limits) {
  wire::Hello hello = bus::make_hello(config.cluster, config.node, random_number(), limits);
  hello.broker = true;
  hello.members = names_of(config.members);
  hello.store = name_of(config.store);
  return hello;
}

/// Brokers of one cluster may have one key pair, whose public half each expects of the others.
runtime::CurveConfig curve_to_members(const runtime::CurveConfig& curve) {
  runtime::CurveConfig mine = curve;
  if (mine.server_key.empty()) mine.server_key = mine.public_key;
  return mine;
}

std::unique_ptr<MemberLinks> links_of(const BrokerLoopConfig& config, const wire::Hello& hello,
                                      const Limits& limits, const runtime::Logger& logger) {
  if (hello.members.empty()) return nullptr;
  return std::make_unique<MemberLinks>(config.members, hello, curve_to_members(config.curve),
                                       limits, logger, random_number());
}

RouterConfig router_config(const BrokerLoopConfig& config, const Limits& limits,
                           const wire::Hello& hello, bus::ZmqListener& listener,
                           MemberLinks* others) {
  return {hello,
          config.link,
          limits,
          config.check_json,
          {.make = config.make_store, .wake = [&listener] { listener.wake(); }},
          {config.node, hello.members, config.store, limits.broker_settle},
          others};
}

EpochSource epochs_of(const wire::Hello& hello) {
  const auto place = std::ranges::find(hello.members, hello.node) - hello.members.begin();
  return EpochSource::ordered(
      wall_milliseconds, hello.members.empty() ? 0 : static_cast<std::uint32_t>(place),
      static_cast<std::uint32_t>(std::max<std::size_t>(1, hello.members.size())));
}

}  // namespace

BrokerLoop::BrokerLoop(BrokerLoopConfig config, OptionsOf options_of, const Limits& limits,
                       const runtime::Logger& logger, runtime::ProbeRegistry& probes)
    : config_(std::move(config)),
      limits_(limits),
      logger_(logger.with("bus")),
      listener_(limits, logger_, probes),
      hello_(hello_of(config_, limits)),
      others_(links_of(config_, hello_, limits_, logger_)),
      router_(router_config(config_, limits, hello_, listener_, others_.get()),
              std::move(options_of), *this, epochs_of(hello_), probe_, logger_),
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
  publish_readiness();
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
    if (!more_) sleep(now);
  }
  if (others_) others_->close(std::chrono::steady_clock::now());
  router_.close(fail(ErrorCode::draining, config_.node + " stops"));
  listener_.linger(kGoodbye);
}

void BrokerLoop::turn(bus::LinkTime now) {
  more_ = false;
  router_.begin_turn(now);
  run_tasks();
  if (others_) {
    others_->begin_turn(now);
    more_ = others_->hear(now);
  }
  bool later = false;
  for (int i = 0; i < kMessagesPerTurn && listener_.receive(); ++i) {
    if (listener_.frames() == 2) {
      router_.on_message(listener_.key(), listener_.frame(0), listener_.frame(1));
    } else {
      router_.on_garbage(listener_.key());
    }
    later = std::chrono::steady_clock::now() - now > kBatchAgeMax || i + 1 == kMessagesPerTurn;
    if (later) break;
  }
  router_.end_turn();
  if (others_) others_->end_turn(now);
  more_ = more_ || later || router_.busy();
  publish_readiness();
  links_ = router_.linked();
  hear_failures(now);
}

void BrokerLoop::sleep(bus::LinkTime now) {
  if (!others_) return listener_.wait(kIdleMax);
  if (others_->pending()) return;
  listener_.wait(others_->patience(now, kIdleMax), others_->descriptors());
}

void BrokerLoop::publish_readiness() {
  if (router_.members().alone()) return;
  std::string why = router_.members().why_not_ready();
  const std::lock_guard lock(ready_mutex_);
  not_ready_ = std::move(why);
}

std::string BrokerLoop::why_not_ready() const {
  const std::lock_guard lock(ready_mutex_);
  return not_ready_;
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
