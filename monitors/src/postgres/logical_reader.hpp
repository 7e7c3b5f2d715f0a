#pragma once
// From the WAL to the bus, by logical replication: every committed change of the rules' tables, in
// commit order, without anything written to the database but a slot's place. What was there before
// comes first, as the state of rules with a key; the slot begins exactly behind it, so there is no
// gap and no overlap. A publication's sequence is the transaction's commit LSN and its number in
// it; the slot is told only of transactions of which every publication was acknowledged.
//   active: slot there -> stream; none, lost, other tables, or the database has gone back:
//   snapshot -> slot -> stream
// Bounded: above the limit of bytes that are published and not acknowledged nothing more is read.

#include <deque>
#include <map>
#include <random>
#include <string>

#include "postgres/logical_changes.hpp"
#include "postgres/replication.hpp"
#include "postgres/slot.hpp"
#include "postgres/source_reader.hpp"

namespace peal::monitor {

class LogicalReader final : public SourceReader, private LogicalSink {
 public:
  LogicalReader(const MonitorConfig& config, Rules rules, Waiter& waiter,
                const runtime::Logger& logger, MonitorProbe& probe);

  void on_done(const Done& done) override;

 private:
  /// One that is not yet confirmed.
  struct Transaction {
    std::uint64_t end_lsn = 0;  ///< 0: its commit has not come
    std::size_t left = 0;       ///< publications that are not acknowledged
    std::int64_t at_ms = 0;     ///< when it was committed, by the database's clock
  };

  Result<void> check(Connection& connection) override;
  int lock_key() const override;
  Result<void> pump(Connection& connection) override;

  Result<Replication> open_replication();
  Result<void> snapshot(Connection& connection, const ServerIdentity& server);
  Result<void> snapshot_tables(const FreshSlot& fresh);
  Result<void> snapshot_table(Connection& reader, const std::string& table);
  void active_as(const ServerIdentity& server, const std::string& slot);
  Result<void> stream(Connection& connection, Replication& replication);
  Result<void> wait_for_more(Replication& replication);
  void on_begin(const pgoutput::Begin& begin) override;
  void on_commit(const pgoutput::Commit& commit) override;
  void on_relation(const pgoutput::Relation& relation) override;
  void on_change(const Change& change) override;
  void publish(const Change& change);
  Result<void> tell(Replication& replication, bool now);
  Result<void> measure(Connection& connection) override;
  Result<void> look_for_tables(Connection& connection);

  Rules rules_;
  std::vector<std::string> tables_;
  std::string slot_;
  LogicalChanges changes_;
  Connection* connection_ = nullptr;  ///< of the session
  Sequence sequence_;                 ///< of the last that was published
  std::deque<Transaction> transactions_;
  std::uint64_t first_ticket_ = 0;  ///< of the front of `transactions_`
  std::uint64_t heard_lsn_ = 0;     ///< nothing below is still to come
  std::uint64_t confirmed_lsn_ = 0;
  std::uint64_t began_lsn_ = 0;  ///< where the server was when reading began
  bool gone_back_ = false;       ///< the log knows more of the source than the server has
  Publisher::Time told_{}, measured_{}, warned_{}, missed_{};
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace peal::monitor
