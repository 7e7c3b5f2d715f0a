#pragma once
// The ways a producer publishes, each a cli::Publisher: WebSocket on the load generator's loop,
// `peal publish --commands` as a child process behind two pipes, and the command line's own control
// and ingest.

#include <memory>
#include <string>

#include "publisher.hpp"

namespace peal::swarm {

/// Null when there is no such way. `peal` is the path of the command line, for "cli".
std::unique_ptr<cli::Publisher> make_way(const std::string& way, const std::string& target,
                                         const std::string& peal,
                                         cli::Publisher::OnResult on_result);

}  // namespace peal::swarm
