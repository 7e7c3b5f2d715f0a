#pragma once
// Prints what would be published of what NOTIFY says, until the end is asked for (Ctrl-C): one JSON
// object a line. Publishes nothing, takes no lock, and needs no broker; a `fetch` is run.

#include <iosfwd>

#include "postgres/monitor_config.hpp"

namespace peal::monitor {

/// The configuration has been checked. The exit code; `err` says why it is not 0.
int notify_dry_run(const MonitorConfig& config, std::ostream& out, std::ostream& err);

}  // namespace peal::monitor
