#pragma once
// The Shard itself: wires a shard's parts together and runs their turns.
//   wait (<= 256 events) -> accept, read -> what others posted -> the bus's turn -> flush at most
//   512 connections -> deadlines -> free what has gone
// The constructor and `attach` run on the starting thread, everything else on the shard's own, but
// for what says "any thread".

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "session/connections.hpp"
#include "session/http_face.hpp"
#include "session/pacer.hpp"
#include "session/sessions.hpp"
#include "session/shard.hpp"

namespace peal::gateway {

/// What the shards of one gateway share.
struct ShardShared {
  std::atomic<std::size_t> sessions{0};
  std::uint32_t incarnation = 0;
  PageShelves shelves{};  ///< filled while the shards are made, then immutable
};

class ShardThread final : public Shard, public ConnectionOwner, public bus::BusSink {
 public:
  static constexpr std::size_t kFlushesPerTurn = 512;
  static constexpr std::size_t kGatherEachWhenBusy = 2048;
  static constexpr std::chrono::microseconds kDelayWhenBusy{2000};

  ShardThread(const ShardConfig& config, std::size_t index, Fd listener, ShardShared& shared,
              runtime::Logger logger, runtime::ProbeRegistry& probes);
  ~ShardThread() override;

  void attach(bus::Bus& bus);
  void start();
  void stop();  ///< any other thread: ends the loop and joins
  bool ticked_within(std::chrono::milliseconds age) const;  ///< any thread
  const GatewayProbe& probe() const { return probe_; }

  // What the thread does with its life, for whoever gives it no thread: begin, turns (each waits as
  // long as `patience` says), end.
  void begin();
  void turn();
  std::chrono::microseconds patience() const;
  void end();
  void add_connection(int fd) { connections_.add(fd); }  ///< one that was accepted elsewhere

  // Shard
  std::size_t index() const override { return index_; }
  bool post(std::function<void()> task) override { return mailbox_->post(std::move(task)); }
  Engine& engine() override { return sessions_; }
  const ShardConfig& config() const override { return config_; }
  const runtime::Logger& logger() const override { return logger_; }

  // For ShardSet, by posted tasks.
  void list(std::uint32_t after_index, std::size_t limit, SessionPage& page);
  void list_channels(std::string_view after, const NameFilter& wanted, std::size_t limit,
                     std::map<std::string, std::size_t>& subscribers) {
    sessions_.hub().list(after, wanted, limit, subscribers);
  }
  /// This shard's part of an answer, but for the channels.
  void answer(const bus::ClusterQuery& query, bus::ClusterAnswer& answer);
  bool disconnect(std::string_view session_id, CloseCode code, std::string_view reason);
  void drain(std::chrono::milliseconds time, std::function<void()> then);
  /// Closes so many sessions (1012), a share a second.
  void shed(std::size_t count);
  void use_tls(std::shared_ptr<TlsContext> tls);

 private:
  using Clock = std::chrono::steady_clock;

  // Shard, for Exchange
  void respond(std::uint32_t index, std::uint32_t generation, http::Response response) override;
  void respond(std::uint32_t index, std::uint32_t generation, http::Response response,
               std::unique_ptr<BodySource> body) override;
  void wait(std::uint32_t index, std::uint32_t generation, std::shared_ptr<Waiter> waiter,
            std::chrono::milliseconds at_most) override;
  void upgrade(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
               std::shared_ptr<const Principal> principal, HttpHeaders headers) override;
  void stream(std::uint32_t index, std::uint32_t generation, Protocol& protocol,
              std::shared_ptr<const Principal> principal, const HttpHeaders& headers,
              const StreamOrder& order) override;
  bool alive(std::uint32_t index, std::uint32_t generation) const override;
  std::string peer(std::uint32_t index, std::uint32_t generation) const override;
  // ConnectionOwner
  void on_input(Connection& connection, std::span<char>& input) override;
  bool paused(const Connection& connection) const override;
  void on_resumed(Connection& connection) override { sessions_.on_resumed(connection); }
  void on_writable(Connection& connection) override;
  void on_timer(Connection& connection) override;
  bool on_peer_ended(Connection& connection) override;
  void on_too_slow(Connection& connection, SlowReason reason) override;
  void on_gone(Connection& connection) override;
  // BusSink
  void on_batch(std::span<const bus::Delivery> deliveries) override;
  void on_heads(std::span<const bus::HeadNotice> heads) override;
  void on_published(std::span<const bus::Published> outcomes) override;
  void on_page(const bus::Page& page) override;
  void on_presence(const bus::PresenceAnswer& answer) override;
  void on_presence_events(std::span<const bus::PresenceEvent> events) override;
  void on_state(const bus::BusState& state) override;

  void run();
  void pump_bus();
  void flush();
  void run_tasks();
  void run_timers();
  void later(std::chrono::milliseconds after, std::function<void()> task);
  void drain_some();
  void end_gently(Connection& connection);
  void send_away(Connection& connection, std::string_view why);
  void shed_some();
  HttpFace::Gate gate();
  SessionHost host();

  const ShardConfig& config_;
  const std::size_t index_;
  ShardShared& shared_;
  runtime::Logger logger_;
  Loop loop_;
  GatewayProbe probe_;
  std::shared_ptr<void> registration_;
  std::shared_ptr<Mailbox>
      mailbox_;  ///< shared with SessionRefs and hooks, which may outlive the shard
  Encoder encoder_;
  Connections connections_;
  Sessions sessions_;
  HttpFace http_;
  Fd listener_;
  bus::BusPort* port_ = nullptr;
  std::multimap<Clock::time_point, std::function<void()>> timers_;  ///< cold ones: hooks' deadlines
  Clock::time_point now_;
  Clock::time_point dirty_since_{};
  bool bus_has_more_ = false;

  struct Drain {
    Pacer pacer;
    std::function<void()> then;
    std::uint32_t cursor = 0;
  };
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<Pacer> shed_;
  std::uint32_t shed_cursor_ = 0;
  Comebacks comebacks_{std::chrono::seconds(1), index_};

  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<Clock::rep> last_turn_{0};
};

}  // namespace peal::gateway
