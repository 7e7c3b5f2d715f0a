#pragma once
// From a source to the bus: what the ways to read a database have in common. A session connects,
// becomes the only active one by a lock that lives as long as its connection, and then reads and
// publishes until the connection breaks or the monitor ends. Everything runs on the monitor's
// thread; whoever waits keeps the bus going meanwhile.
//   session: connect -> check -> lock (standby) -> active

#include <atomic>
#include <optional>

#include "peal/monitor/publisher.hpp"
#include "peal/monitor/rules.hpp"
#include "peal/runtime/logger.hpp"
#include "postgres/connection.hpp"
#include "postgres/monitor_config.hpp"
#include "process/monitor_probe.hpp"

namespace peal::monitor {

/// What the monitor's thread waits with: it keeps the bus going meanwhile.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Until something came from the bus, `fd` (-1: none) is ready for these events of poll(2), it is
  /// `until`, or the end.
  virtual void wait(int fd, short events, Publisher::Time until) = 0;
  virtual bool stopping() const = 0;  ///< begin nothing new
  virtual bool hurried() const = 0;   ///< nor finish anything
  virtual void send() = 0;            ///< the publisher, then the port's turn
};

constexpr std::chrono::seconds kMeasureEvery{5};

class SourceReader {
 public:
  SourceReader(const MonitorConfig& config, Waiter& waiter, const runtime::Logger& logger,
               MonitorProbe& probe)
      : config_(config), waiter_(waiter), logger_(logger), probe_(probe) {}
  virtual ~SourceReader() = default;

  void publish_over(Publisher& publisher) { publisher_ = &publisher; }
  /// One life of the connection; why it ended.
  Error session();
  virtual void on_done(const Done& done) = 0;
  /// Any thread: "connecting", "standby", "active".
  const char* state() const { return state_.load(); }

 protected:
  /// Whether all that it needs is there.
  virtual Result<void> check(Connection& connection) = 0;
  /// Tells apart the locks of sources in one database.
  virtual int lock_key() const = 0;
  /// Reads and publishes; without an error it is the end.
  virtual Result<void> pump(Connection& connection) = 0;
  /// How much waits at the source, at most every kMeasureEvery; whoever asks may have any
  /// connection.
  virtual Result<void> measure(Connection& connection) = 0;

  Result<Connection> connect(const std::string& dsn);
  /// Now that the source's name is known.
  void is_active(const std::string& source);
  /// Until all is acknowledged; with something left only at the end. While that takes long it is
  /// measured what waits at the source, over a connection of its own: the session's may be lost.
  void wait_published();
  /// Until less than bus.under_way_bytes_max is published and not acknowledged; false at the end.
  bool wait_for_room();
  /// A rule matched and had no channel: counted, and said once a minute.
  void told_unmapped(std::size_t rule, const Error& why);

  const MonitorConfig& config_;
  Waiter& waiter_;
  const runtime::Logger logger_;
  MonitorProbe& probe_;
  Publisher* publisher_ = nullptr;

 private:
  Result<void> lock(Connection& connection);
  /// A moment; false: the end comes first.
  bool wait_for_acknowledged();
  void measure_apart();

  std::atomic<const char*> state_{"connecting"};
  Publisher::Time unmapped_said_{};
  std::optional<Connection> apart_;  ///< to measure with while nothing is acknowledged
  Publisher::Time apart_at_{};       ///< when next; {}: nothing is waited for
};

}  // namespace peal::monitor
