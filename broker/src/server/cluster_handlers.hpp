#pragma once
// The broker's control commands about the whole cluster: disconnect and count
// (peal/proto/cluster_commands.hpp). The broker asks every gateway that has a link with it.

#include "peal/runtime/control.hpp"
#include "server/broker_loop.hpp"

namespace peal::broker {

/// Both outlive the server's thread.
void add_cluster_handlers(runtime::ControlServer& control, BrokerLoop& loop);
/// The links as a JSON list.
std::string links_json(const Router& router);

}  // namespace peal::broker
