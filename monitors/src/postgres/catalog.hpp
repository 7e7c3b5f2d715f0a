#pragma once
// What the database has, compared with what the rules name.

#include <map>
#include <string>
#include <vector>

#include "postgres/connection.hpp"

namespace peal::monitor {

/// Whether each "schema.table" is there and has these columns; the error names the nearest that is.
Result<void> check_tables(Connection& connection,
                          const std::map<std::string, std::vector<std::string>>& tables);

/// "schema.table" of each with the outbox's trigger.
Result<std::vector<std::string>> captured_tables(Connection& connection);

}  // namespace peal::monitor
