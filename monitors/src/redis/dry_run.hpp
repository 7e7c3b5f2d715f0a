#pragma once
// Prints what would be published of what waits in streams and lists, and then, where rules listen,
// of what is heard until the end is asked for (Ctrl-C). It takes nothing, asks for no lease and
// needs no broker. What would be published of one thing is a line of JSON.

#include <iosfwd>

#include "redis/redis_config.hpp"

namespace peal::monitor {

/// The configuration has been checked. The exit code; `err` says why it is not 0.
int dry_run(const RedisMonitorConfig& config, std::ostream& out, std::ostream& err);

}  // namespace peal::monitor
