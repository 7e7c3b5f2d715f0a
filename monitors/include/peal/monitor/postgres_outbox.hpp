#pragma once
// Installing, removing and looking at the outbox in a Postgres database: the schema `peal` with its
// tables and functions, and triggers on the tables that were chosen. Each is one transaction, and
// may be done again. Used by the command line, which has a person's rights.

#include <cstdint>
#include <string>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::monitor {

struct OutboxInstall {
  std::string dsn;
  std::vector<std::string> tables;      ///< "schema.table", or "table" of public
  std::vector<std::string> monitors;    ///< roles that may take from it
  std::vector<std::string> publishers;  ///< roles that may call peal.publish
};

struct OutboxStatus {
  int version = 0;
  std::vector<std::string> tables;  ///< "schema.table" of each with triggers
  std::uint64_t waiting = 0;        ///< rows, those under way included; counted up to 100,000
  std::uint64_t bytes = 0;
  std::uint64_t oldest_ms = 0;
  std::uint64_t rejected = 0;  ///< rows of peal.rejected
};

/// Refused when a table is missing (the error names the nearest), or the outbox is of a newer Peal.
Result<void> install_outbox(const OutboxInstall& options);
/// Removes all of it. Refused while rows wait or were rejected, unless `force`.
Result<void> uninstall_outbox(const std::string& dsn, bool force);
Result<OutboxStatus> outbox_status(const std::string& dsn);

}  // namespace peal::monitor
