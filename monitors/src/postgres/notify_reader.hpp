#pragma once
// From NOTIFY to the bus: one connection listens, whatever the number of subscribers, and what
// comes is published in its order. Queries go over another one: with their answers all that was
// said would come into memory, however much it is. NOTIFY can't be asked again: whenever listening
// begins, after a start or a lost connection, a `reset` is published where the rule says. While the
// bus takes nothing, nothing is read, and the database keeps what was said in its queue.

#include <vector>

#include "postgres/listen.hpp"
#include "postgres/source_reader.hpp"

namespace peal::monitor {

class NotifyReader final : public SourceReader {
 public:
  /// The configuration has been checked.
  NotifyReader(const MonitorConfig& config, Waiter& waiter, const runtime::Logger& logger,
               MonitorProbe& probe);

  void on_done(const Done& done) override;

 private:
  Result<void> check(Connection& connection) override;
  int lock_key() const override;
  Result<void> pump(Connection& connection) override;
  Result<void> measure(Connection& asking) override;

  Result<void> prepare(Connection& connection);
  Result<void> hear(Connection& asking, const Notification& said);
  /// None: the query found nothing, or can't take this payload.
  Result<Cell> fetch(Connection& asking, const Listen& listen, const std::string& said);
  void publish(Ring ring);

  std::vector<Listen> listens_;
  JsonReader reader_;
  Publisher::Time measured_{};
  Publisher::Time warned_{};
  Publisher::Time heard_{};  ///< when what is being published was taken
  Sequence sequence_;        ///< of the last that was published; `major` grows with each session
};

}  // namespace peal::monitor
