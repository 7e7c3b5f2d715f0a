#pragma once
// The control socket's commands about the whole cluster: disconnect and count
// (peal/proto/cluster_commands.hpp). Control is trusted: limits apply, channel rules don't.

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/control.hpp"

namespace peal::gateway {

/// Both outlive the server's thread.
void add_cluster_handlers(runtime::ControlServer& control, Gateway& gateway);

}  // namespace peal::gateway
