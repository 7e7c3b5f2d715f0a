#pragma once
// The broker's control commands about the whole cluster: disconnect and count
// (peal/proto/cluster_commands.hpp). The broker asks every gateway that has a link with it.

#include "peal/runtime/control.hpp"
#include "server/broker_loop.hpp"

namespace peal::broker {

/// Both outlive the server's thread.
void add_cluster_handlers(runtime::ControlServer& control, BrokerLoop& loop);

}  // namespace peal::broker
