#pragma once
// The outbox as a monitor takes from it: batches of changes with numbers that stay the same until
// the batch is ended, also over a crash. Taking the next batch ends the one before, in one
// transaction. Used by one thread over a connection that holds the outbox's lock.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peal/monitor/change.hpp"
#include "postgres/connection.hpp"

namespace peal::monitor {

/// A row of the outbox: a change of a table, or what peal.publish was given.
struct OutboxRow {
  std::uint64_t number = 0;  ///< in the order of publishing
  std::string id;
  std::optional<Change> change;  ///< none: a message
  std::string unreadable;        ///< why its rows are no JSON; else empty
  std::string channel, key, payload;
  bool deletion = false;
};

struct OutboxBatch {
  std::vector<OutboxRow> rows;  ///< empty: nothing waits
  bool fresh = false;           ///< nobody can have published any of it
};

struct OutboxClaim {
  std::string source;  ///< names the outbox in this database
  std::uint64_t generation = 0;
};

struct OutboxLag {
  std::uint64_t changes = 0, bytes = 0, oldest_ms = 0, rejected = 0;
};

class Outbox {
 public:
  /// Whether the outbox is there, of this version, and has what the rules want to hear of.
  static Result<void> check(Connection& connection,
                            const std::map<std::string, std::vector<std::string>>& tables);

  explicit Outbox(Connection& connection) : connection_(connection) {}

  /// `met`: a number that had been used already has this as its generation, so take one above.
  Result<OutboxClaim> claim(std::optional<std::uint64_t> met = std::nullopt);
  /// Ends the batch that begins with `done`; `refused`: ids of rows and why they can't be
  /// published.
  Result<OutboxBatch> take(std::optional<std::uint64_t> done,
                           const std::map<std::string, std::string>& refused,
                           std::size_t changes_max, std::size_t bytes_max);
  /// From now on, until `stay_awake`, whoever writes says NOTIFY; false: ask again in a moment.
  Result<bool> ask_to_be_woken();
  /// Whether all who wrote without saying it have ended, so that the next take sees what they did.
  Result<bool> others_have_ended();
  Result<void> stay_awake();
  Result<OutboxBatch> peek(std::size_t changes_max);
  Result<OutboxLag> lag(std::size_t most);

 private:
  OutboxRow row_of(const Answer& answer, std::size_t row, int first);

  Connection& connection_;
  JsonReader reader_;
};

}  // namespace peal::monitor
