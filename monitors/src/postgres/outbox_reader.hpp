#pragma once
// From the outbox to the bus: takes a batch, publishes all of it, ends it, takes the next. Bounded:
// one batch is in memory, and while the bus takes none the database keeps what waits. Everything
// runs on the monitor's thread; `session` holds it until the connection breaks or the monitor ends.
//   session: connect -> check -> lock (standby) -> claim -> take <-> publish, or sleep until NOTIFY

#include <atomic>
#include <map>
#include <optional>
#include <string>

#include "peal/monitor/publisher.hpp"
#include "peal/runtime/logger.hpp"
#include "postgres/monitor_config.hpp"
#include "postgres/monitor_probe.hpp"
#include "postgres/outbox.hpp"

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

class OutboxReader {
 public:
  OutboxReader(const MonitorConfig& config, Rules rules, Waiter& waiter,
               const runtime::Logger& logger, MonitorProbe& probe);

  void publish_over(Publisher& publisher) { publisher_ = &publisher; }
  /// One life of the connection; why it ended.
  Error session();
  void on_done(const Done& done);
  /// Any thread: "connecting", "standby", "active".
  const char* state() const { return state_.load(); }

 private:
  Result<void> become_active(Outbox& outbox);
  Result<void> pump(Connection& connection, Outbox& outbox);
  Result<void> deliver(Outbox& outbox, OutboxBatch& batch);
  void publish(const OutboxBatch& batch);
  void wait_published(Outbox& outbox);
  Result<void> sleep(Connection& connection);
  Result<void> measure(Outbox& outbox);

  const MonitorConfig& config_;
  Rules rules_;
  Waiter& waiter_;
  const runtime::Logger logger_;
  MonitorProbe& probe_;
  Publisher* publisher_ = nullptr;
  std::atomic<const char*> state_{"connecting"};
  OutboxClaim claim_;
  std::map<std::string, std::string> refused_;  ///< ids of the batch's rows that can't be published
  std::vector<std::string> ids_;                ///< of the batch's rows, by ticket
  std::optional<std::uint64_t> met_;
  Publisher::Time measured_{};
  Publisher::Time warned_{};
  Publisher::Time unmapped_said_{};
};

/// What would be published of what waits, one JSON object a line; takes nothing.
Result<std::string> dry_run(const MonitorConfig& config);

}  // namespace peal::monitor
