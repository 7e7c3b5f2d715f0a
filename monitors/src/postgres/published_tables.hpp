#pragma once
// What a publication can tell of tables: of all of their changes, or not; of which columns; and
// whether it still has them, since it keeps tables, not names.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "postgres/connection.hpp"

namespace peal::monitor {

/// Whether each table may be published without harm to those who write to it, and its changes have
/// the columns that are looked at; the error says what to do. `publication` may be there already.
Result<void> check_published(Connection& connection, const std::string& publication,
                             const std::map<std::string, std::vector<std::string>>& tables);

/// The columns that changes of the table have, as a list for SELECT.
Result<std::string> told_columns(Connection& connection, const std::string& table);

/// Those of the tables that the publication doesn't have, and whether a table of that name is
/// there.
Result<std::vector<std::pair<std::string, bool>>> missing_tables(
    Connection& connection, const std::string& publication, const std::vector<std::string>& tables);

}  // namespace peal::monitor
