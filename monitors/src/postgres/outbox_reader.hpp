#pragma once
// From the outbox to the bus: takes a batch, publishes all of it, ends it, takes the next. Bounded:
// one batch is in memory, and while the bus takes none the database keeps what waits. While it has
// work it isn't woken; it asks to be before it sleeps, and looks now and then until all who wrote
// without knowing have ended.
//   active: claim -> take <-> publish, or ask to be woken -> look -> sleep until NOTIFY

#include <map>
#include <optional>
#include <string>

#include "postgres/outbox.hpp"
#include "postgres/source_reader.hpp"

namespace peal::monitor {

class OutboxReader final : public SourceReader {
 public:
  OutboxReader(const MonitorConfig& config, Rules rules, Waiter& waiter,
               const runtime::Logger& logger, MonitorProbe& probe);

  void on_done(const Done& done) override;

 private:
  Result<void> check(Connection& connection) override;
  int lock_key() const override { return 1; }
  Result<void> pump(Connection& connection) override;

  Result<void> pump(Connection& connection, Outbox& outbox);
  Result<void> deliver(Outbox& outbox, OutboxBatch& batch);
  void publish(const OutboxBatch& batch);
  /// The row goes to peal.rejected when its batch ends.
  void refuse(const std::string& id, const std::string& reason);
  Result<void> rest(Connection& connection, Outbox& outbox);
  Result<void> sleep(Connection& connection, Publisher::Time until);
  Result<void> measure(Connection& connection) override;
  Result<void> look_for_triggers(Connection& connection);

  Rules rules_;
  OutboxClaim claim_;
  std::map<std::string, std::string> refused_;  ///< ids of the batch's rows that can't be published
  std::vector<std::string> ids_;                ///< of the batch's rows, by ticket
  std::optional<std::uint64_t> met_;
  bool wakeable_ = false;  ///< whoever writes says NOTIFY
  bool alone_ = false;     ///< nobody is left who wrote without saying it
  std::chrono::milliseconds look_again_{0};
  Publisher::Time measured_{};
  Publisher::Time warned_{};
  Publisher::Time missed_{};
};

/// What would be published of what waits, one JSON object a line; takes nothing.
Result<std::string> dry_run(const MonitorConfig& config);

}  // namespace peal::monitor
