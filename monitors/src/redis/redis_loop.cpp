#include "redis/redis_loop.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "redis/keyspace_reader.hpp"
#include "redis/list_reader.hpp"
#include "redis/listen_reader.hpp"
#include "redis/stream_reader.hpp"

namespace peal::monitor {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kBeat{100};
constexpr milliseconds kHealthyFor{2000};
/// After the end was asked for, what is under way may be acknowledged and saved.
constexpr milliseconds kEndAfter{5000};

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

RedisLoop::RedisLoop(const RedisMonitorConfig& config, const runtime::Logger& logger,
                     runtime::ProbeRegistry& probes)
    : config_(config),
      logger_(logger),
      probes_(probes),
      probe_handle_(probes.add(probe_)),
      timer_(context_) {
  const ReaderParts parts{context_, config_, logger_, probe_};
  for (const StreamConfig& stream : config.streams)
    readers_.push_back(std::make_unique<StreamReader>(parts, *StreamRule::compile(stream)));
  for (const ListConfig& list : config.lists)
    readers_.push_back(std::make_unique<ListReader>(parts, *ListRule::compile(list)));
  if (!config.listens.empty()) readers_.push_back(std::make_unique<ListenReader>(parts));
  if (!config.keyspace.empty()) readers_.push_back(std::make_unique<KeyspaceReader>(parts));
}

RedisLoop::~RedisLoop() {
  stop();
}

Result<void> RedisLoop::start() {
  auto made = bus::make_zmq_bus(config_.bus, config_.limits, logger_, probes_);
  if (!made) return made.error();
  bus_ = std::move(*made);
  for (const auto& reader : readers_)
    reader->publish_over(bus_->attach(reader->sink(), *this));
  if (auto started = bus_->start(); !started) return started;
  last_beat_ms_ = now_ms();
  boost::asio::post(context_, [this] {
    for (const auto& reader : readers_)
      reader->start();
    beat();
  });
  thread_ = std::thread([this] {
    const auto work = boost::asio::make_work_guard(context_);
    context_.run();
  });
  return {};
}

void RedisLoop::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
}

void RedisLoop::wake() noexcept {
  if (turning_.exchange(true)) return;
  boost::asio::post(context_, [this] {
    turning_ = false;
    turn();
  });
}

void RedisLoop::turn() {
  for (const auto& reader : readers_)
    reader->turn();
}

void RedisLoop::beat() {
  last_beat_ms_ = now_ms();
  turn();
  tell();
  if (stopping_) {
    if (end_by_ == Clock::time_point{}) {
      end_by_ = Clock::now() + kEndAfter;
      for (const auto& reader : readers_)
        reader->stop();
    }
    const auto stopped = [](const auto& reader) { return reader->stopped(); };
    if (std::ranges::all_of(readers_, stopped) || Clock::now() >= end_by_) return end();
  }
  timer_.expires_after(kBeat);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) beat();
  });
}

void RedisLoop::end() {
  bus_->stop();
  turn();
  for (const auto& reader : readers_)
    reader->close();
  boost::asio::post(context_, [this] { context_.stop(); });
}

void RedisLoop::tell() {
  const auto all = [this](auto question) {
    return std::ranges::all_of(readers_, [&](const auto& reader) { return question(*reader); });
  };
  const bool linked = all([](const RedisReader& reader) { return reader.linked(); });
  const bool connected = all([](const RedisReader& reader) { return reader.connected(); });
  const bool active =
      std::ranges::any_of(readers_, [](const auto& reader) { return reader->active(); });
  Publisher::Counts counts;
  std::string trouble;
  std::uint64_t lag = 0;
  std::uint64_t lag_bytes = 0;
  std::uint64_t lag_ms = 0;
  std::optional<std::uint64_t> left;
  for (const auto& reader : readers_) {
    const Publisher::Counts& one = reader->publisher().counts();
    counts.published += one.published;
    counts.duplicates += one.duplicates;
    counts.retries += one.retries;
    const Waiting waiting = reader->waiting();
    lag += waiting.entries;
    lag_bytes += waiting.bytes;
    if (waiting.left) left = std::min(left.value_or(*waiting.left), *waiting.left);
    lag_ms = std::max(lag_ms, reader->lag_ms());
    if (trouble.empty()) trouble = reader->trouble();
  }
  probe_.published(counts);
  probe_.lag_measured(lag, lag_bytes, lag_ms, 0);
  probe_.stream_left(left);
  probe_.connected(connected);
  probe_.linked(linked);
  probe_.active(active);
  state_ = !connected ? "connecting" : active ? "active" : "standby";
  if (!linked) trouble = "the broker is not reached";
  const std::lock_guard lock(mutex_);
  trouble_ = std::move(trouble);
}

bool RedisLoop::healthy() const {
  return now_ms() - last_beat_ms_.load() < kHealthyFor.count();
}

std::string RedisLoop::why_not_ready() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

}  // namespace peal::monitor
