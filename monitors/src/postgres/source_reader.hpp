#pragma once
// From a source to the bus: what the ways to read a database have in common. A session connects,
// becomes the only active one by a lock that lives as long as its connection, and then reads and
// publishes until the connection breaks or the monitor ends. Everything runs on the monitor's
// thread; whoever waits keeps the bus going meanwhile.
//   session: connect -> check -> lock (standby) -> active

#include <atomic>

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

  Result<Connection> connect(const std::string& dsn);
  /// Now that the source's name is known.
  void is_active(const std::string& source);
  /// Until all is acknowledged; with something left only at the end. `meanwhile` is called now and
  /// then.
  void wait_published(const std::function<void()>& meanwhile = {});
  /// A rule matched and had no channel: counted, and said once a minute.
  void told_unmapped(std::size_t rule, const Error& why);

  const MonitorConfig& config_;
  Waiter& waiter_;
  const runtime::Logger logger_;
  MonitorProbe& probe_;
  Publisher* publisher_ = nullptr;

 private:
  Result<void> lock(Connection& connection);

  std::atomic<const char*> state_{"connecting"};
  Publisher::Time unmapped_said_{};
};

}  // namespace peal::monitor
