#pragma once
// The process peal-monitor-redis.

namespace peal::monitor {

/// What main does: config from the arguments and the environment, then the App.
int run_redis_monitor(int argc, char** argv);

}  // namespace peal::monitor
