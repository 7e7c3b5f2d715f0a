#pragma once
// What the database has, compared with what the rules name.

#include <map>
#include <string>
#include <vector>

#include "postgres/connection.hpp"
#include "postgres/json_value.hpp"

namespace peal::monitor {

/// Whether each "schema.table" is there and has these columns; the error names the nearest that is.
Result<void> check_tables(Connection& connection,
                          const std::map<std::string, std::vector<std::string>>& tables);

/// What is known of these types, and of those that they are made of.
Result<std::unordered_map<std::uint32_t, TypeInfo>> ask_types(Connection& connection,
                                                              std::vector<std::uint32_t> types);

/// Those whose changes nothing writes to the outbox: their trigger has gone with the table, or is
/// disabled.
Result<std::vector<std::string>> unwatched_tables(Connection& connection,
                                                  const std::vector<std::string>& tables);

/// "schema.table" of each with the outbox's trigger.
Result<std::vector<std::string>> captured_tables(Connection& connection);

}  // namespace peal::monitor
