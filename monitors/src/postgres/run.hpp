#pragma once
// The process peal-monitor-postgres.

namespace peal::monitor {

/// What main does: config from the arguments and the environment, then a dry run or the App.
int run_postgres_monitor(int argc, char** argv);

}  // namespace peal::monitor
