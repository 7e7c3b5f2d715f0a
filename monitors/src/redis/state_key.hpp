#pragma once
// Where in Redis a monitor keeps how far it has read a source: beside it, in its slot of a Cluster,
// so that they are written to one server, and what a failover loses it loses of both. Pure.

#include <string>

namespace peal::monitor {

/// `monitor` is the name of the monitor, `source` the key that it reads. A few names with braces
/// can have none in their slot; then it is in another one.
std::string state_key(const std::string& prefix, const std::string& monitor,
                      const std::string& source);

}  // namespace peal::monitor
