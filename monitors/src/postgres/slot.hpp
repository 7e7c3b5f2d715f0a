#pragma once
// What logical replication needs in the database: settings and rights, a publication of the rules'
// tables, and a slot that keeps what was not published yet. Slots are named `NAME_xxxxxxxx`:
// another slot is another source, so its numbers are nobody's yet.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "postgres/connection.hpp"

namespace peal::monitor {

/// Settings and rights; the error says what to do.
Result<void> check_logical(Connection& connection);

/// Whether the role may read the tables as they are; the error says what to grant.
Result<void> check_may_read(Connection& connection, const std::vector<std::string>& tables);

/// What to do so that each table tells the columns of the old row that are looked at; empty: all
/// do.
Result<std::vector<std::string>> wanting_full_identity(
    Connection& connection, const std::map<std::string, std::vector<std::string>>& old_columns);

/// What makes the publication be of exactly these tables; empty: it is.
Result<std::string> wanting_publication(Connection& connection, const std::string& name,
                                        const std::vector<std::string>& tables);
/// Does that; the error says who can.
Result<void> make_publication(Connection& connection, const std::string& sql);

struct Slot {
  std::string name;
  bool lost = false;  ///< the database has removed what it kept
};
Result<std::optional<Slot>> find_slot(Connection& connection, const std::string& name);
Result<void> drop_slot(Connection& connection, const std::string& slot);
/// A lasting slot that begins where a temporary one does.
Result<void> keep_slot(Connection& connection, const std::string& temporary,
                       const std::string& slot);

struct SlotLag {
  std::int64_t now_ms = 0;                ///< by the database's clock
  std::uint64_t bytes = 0;                ///< of WAL from what was confirmed to the end
  std::optional<std::uint64_t> wal_left;  ///< bytes after which the slot is lost; none: no limit
  std::uint64_t wal_max = 0;              ///< that limit as a whole
};
/// Also of the temporary one that it will begin at.
Result<SlotLag> lag_of(Connection& connection, const std::string& slot);

}  // namespace peal::monitor
