#pragma once
// A core's store over a Redis, as one process of several has it, and all that it told: what a
// reader of one channel has, which is the log in order and once or begins anew by a reset.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "log_capture.hpp"
#include "peal/broker/redis_storage.hpp"
#include "peal/runtime/logger.hpp"

namespace peal::broker::test {

class RedisNode final : public LogStoreSink {
 public:
  explicit RedisNode(RedisStoreConfig config,
                     ChannelOptions options_ = {.recoverable = true, .history_length_max = 5000})
      : options(options_),
        said(std::make_shared<peal::test::LogCapture>()),
        storage(RedisStorage::open(config, runtime::Logger(said), probes)) {
    store = storage->maker()(
        {*this,
         [this](std::string_view channel) {
           ChannelOptions of = options;
           if (channel.starts_with("passing")) of.recoverable = false;
           return of;
         },
         limits, [engine = std::mt19937_64(std::random_device{}())]() mutable { return engine(); },
         [] {}, [](std::string_view) { return true; }});
  }
  ~RedisNode() override {
    if (store) store->stop();
    store.reset();
  }

  /// Turns the store until it is so.
  bool until(const std::function<bool()>& so,
             std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      store->turn(std::chrono::steady_clock::now());
      if (so()) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  bool usable() {
    return until([this] { return storage->trouble().empty(); });
  }
  void turn() { store->turn(std::chrono::steady_clock::now()); }

  void watch(std::string_view channel) {
    watched = false;
    store->watch(1, channel, std::chrono::steady_clock::now());
  }
  bool watch_and_wait(std::string_view channel) {
    watch(channel);
    return until([this] { return watched; });
  }
  bus::RequestId publish(std::string_view channel, std::string_view payload,
                         std::uint64_t sequence = 0) {
    bus::PublishRequest request;
    request.id = ++requests;
    request.channel = channel;
    request.publication.payload = payload;
    if (sequence != 0) {
      request.publication.source = "producer";
      request.publication.sequence = {1, sequence};
    }
    store->append(1, request, std::chrono::steady_clock::now());
    return request.id;
  }
  bus::Published publish_and_wait(std::string_view channel, std::string_view payload,
                                  std::uint64_t sequence = 0) {
    const auto id = publish(channel, payload, sequence);
    EXPECT_TRUE(until([&] { return outcomes.contains(id); }));
    return outcomes[id];
  }
  /// Says it until it was appended, as a producer with a sequence may.
  bus::Published insist(std::string_view channel, std::string_view payload,
                        std::uint64_t sequence) {
    bus::Published outcome;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    do {
      outcome = publish_and_wait(channel, payload, sequence);
      if (outcome.status != bus::Published::Status::ok) usable();
    } while (outcome.status != bus::Published::Status::ok &&
             std::chrono::steady_clock::now() < deadline);
    EXPECT_EQ(outcome.status, bus::Published::Status::ok);
    return outcome;
  }

  void on_head(LogId log, const Result<Head>& head) override {
    watched = true;
    refused = !head;
    if (head) {
      at = head->position();
    } else {
      store->unwatch(log, std::chrono::steady_clock::now());
    }
  }
  void on_reset(LogId, const Head& head) override {
    ++resets;
    at = head.position();
    heard.clear();
  }
  void on_appended(LogId, const Epoch& epoch, const PublicationView& publication) override {
    if (publication.offset.value != 0) {
      EXPECT_EQ(epoch, at.epoch);
      EXPECT_EQ(publication.offset, at.offset.next());
      at.offset = publication.offset;
    }
    heard.emplace_back(publication.payload);
  }
  void on_outcome(PeerId, const bus::Published& outcome) override {
    outcomes[outcome.id] = outcome;
  }
  void on_page(PeerId, const bus::Page& found) override { page = found.head; }

  Limits limits;
  ChannelOptions options;
  bool watched = false, refused = false;
  std::size_t resets = 0;
  Position at;
  std::vector<std::string> heard;  ///< since the last reset
  std::map<bus::RequestId, bus::Published> outcomes;
  bus::RequestId requests = 0;
  Head page;

  runtime::ProbeRegistry probes;
  std::shared_ptr<peal::test::LogCapture> said;
  std::unique_ptr<RedisStorage> storage;
  std::unique_ptr<LogStore> store;
};

}  // namespace peal::broker::test
