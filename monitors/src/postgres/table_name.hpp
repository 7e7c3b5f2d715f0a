#pragma once
// Names of tables as the configuration has them, and the one that was probably meant.

#include <string>
#include <string_view>
#include <vector>

namespace peal::monitor {

struct TableName {
  std::string schema;
  std::string table;
  std::string full() const { return schema + "." + table; }
};

/// "schema.table"; without a schema: public.
TableName table_name(std::string_view text);

/// " (did you mean NAME?)", or nothing where none is near.
std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& names);

}  // namespace peal::monitor
