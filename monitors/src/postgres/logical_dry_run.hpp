#pragma once
// What would be published of the changes that a slot keeps: the slot is looked into and stays where
// it is.

#include <string>

#include "postgres/monitor_config.hpp"

namespace peal::monitor {

/// One JSON object a line, of up to `postgres.batch_changes_max` changes and the rest of the last
/// transaction. An error where there is no slot yet, or a monitor reads from it.
Result<std::string> logical_dry_run(const MonitorConfig& config);

}  // namespace peal::monitor
