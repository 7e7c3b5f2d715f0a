#pragma once
// What a gateway does for operators over the control socket, besides what every process does
// (stats, log-level, ping): publish, sessions, disconnect, drain, rebalance. Handlers run on the
// control thread and answer from whichever thread has the answer. Control is trusted: limits apply,
// channel rules don't.

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"
#include "server/balancer.hpp"

namespace peal::gateway {

/// Adds the handlers; all of these outlive the server's thread.
void add_control_handlers(runtime::ControlServer& control, Gateway& gateway,
                          runtime::Process& process, Balancer& balancer);

}  // namespace peal::gateway
