#pragma once
// What the ways to read a Redis have in common: a connection of its own, a lease in Redis that one
// of several instances has (the others stand by), and a publisher. The lease is two fields of the
// source's state, a hash: who has it and until when; whoever gets it reads on from the state. From
// whatever goes wrong a reader goes back to asking for the lease, after a pause.
//   away -> leasing (standby) -> active: what the reader does
// Belongs to the thread that runs the io_context.

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "peal/bus/bus_port.hpp"
#include "peal/monitor/publisher.hpp"
#include "peal/proto/json.hpp"
#include "peal/redis/client.hpp"
#include "process/monitor_probe.hpp"
#include "redis/redis_config.hpp"
#include "redis/waiting_watch.hpp"

namespace peal::monitor {

/// What a reader is given by the loop, which outlives it.
struct ReaderParts {
  boost::asio::io_context& context;
  const RedisMonitorConfig& config;
  const runtime::Logger& logger;
  MonitorProbe& probe;
};

class RedisReader : protected redis::ClientOwner, private PublisherOut {
 public:
  /// `what` names it in the log; `state_key` is its hash in Redis, of which the lease gives
  /// `fields`.
  RedisReader(const ReaderParts& parts, const std::string& what, std::string state_key,
              std::vector<std::string> fields);
  ~RedisReader() override = default;

  bus::BusSink& sink() { return publisher_; }
  void publish_over(bus::BusPort& port);
  void start() { client_.start(); }
  /// Reads no more; `stopped` once nothing is under way.
  void stop() { stopping_ = true; }
  bool stopped() const { return !active() && publisher_.pending() == 0; }
  void close() { client_.stop(); }
  /// The bus has something, or it is time.
  void turn();

  bool linked() const { return publisher_.linked(); }
  /// Of a Cluster: with some node.
  bool connected() const { return !nodes_.empty(); }
  bool active() const { return phase_ == Phase::active; }
  /// What waited when it was last measured, and for how long the oldest of it has waited.
  virtual Waiting waiting() const { return watch_.waiting(); }
  virtual std::uint64_t lag_ms() const { return 0; }
  /// Empty, or why nothing is read.
  std::string trouble() const;
  const Publisher& publisher() const { return publisher_; }

 protected:
  using Then = std::function<void(const redis::Reply&)>;

  /// The lease is ours; `fields` of the state, nil where there is none.
  virtual void on_leased(const std::vector<redis::Reply>& fields) = 0;
  /// Another one has the lease.
  virtual void on_standby() {}
  /// After each turn of the bus, while active.
  virtual void on_turned() {}
  /// The source's key, when something can wait there: then `measure` is called now and then, also
  /// while nothing can be published.
  virtual std::string measured_key() const { return {}; }
  virtual void measure() {}
  /// What can never be published, by its ticket.
  virtual void on_impossible(std::uint64_t ticket, const Error& error);

  /// `then` gets the answer, unless something went wrong since it was asked; without one it goes
  /// back to the lease, or to `otherwise`.
  void ask(redis::Command command, Then then,
           std::function<void(const redis::Answer&)> otherwise = {});
  /// For what would only be good to know: where it goes wrong nothing follows.
  void ask_aside(redis::Command command, Then then);
  void waits(const Waiting& waiting) { watch_.measured(waiting, std::chrono::steady_clock::now()); }
  /// EVAL on keys of one slot.
  static redis::Command script(const char* text, const std::vector<std::string>& keys,
                               std::vector<std::string> args);
  /// From anywhere back to the lease, after a pause.
  void again(const std::string& why);
  void later();
  void all_is_well() { trouble_.clear(); }
  void publish(Ring ring, Sequence sequence, std::uint64_t ticket = 0);
  bool stopping() const { return stopping_; }
  bool all_published() const { return publisher_.pending() == 0; }
  /// "0" once it ends, so that another may have it at once.
  std::string lease_ms() const;

  // Of redis::ClientOwner; readers that listen, or look at what a server can, have more to say.
  std::vector<std::vector<std::string>> setup(const redis::Node&) override { return {}; }
  std::string judge_setup(const redis::Node&, const std::vector<redis::Reply>&) override {
    return {};
  }
  void on_connected(const redis::Node& node) override;
  void on_disconnected(const redis::Node& node, std::string_view reason) override;
  void on_subscribed(std::string_view) override {}
  void on_broken(std::string_view) override {}
  void on_message(std::string_view, std::string_view) override {}
  void on_turn() override {}

  const RedisMonitorConfig& config_;
  const runtime::Logger logger_;
  MonitorProbe& probe_;
  redis::Client client_;
  Publisher publisher_;
  JsonReader reader_;
  const std::string state_key_;
  const std::string token_;  ///< of this process, in the lease

 private:
  enum class Phase : std::uint8_t { away, leasing, active };

  void measure_when_due();
  void lease();
  void on_lease(const redis::Reply& reply);
  void on_done(const Done& done) override;
  void on_link(bool, const std::string&) override {}

  const std::vector<std::string> fields_;
  boost::asio::steady_timer timer_;
  WaitingWatch watch_;
  std::chrono::steady_clock::time_point measured_{};
  bus::BusPort* port_ = nullptr;
  Phase phase_ = Phase::away;
  std::uint64_t round_ = 0;      ///< answers of an older one are nobody's
  std::set<std::string> nodes_;  ///< addresses of those that are connected
  bool stopping_ = false;
  std::string trouble_ = "Redis has not been reached yet";
};

}  // namespace peal::monitor
