#pragma once
// What a broker does for operators over the control socket, besides what every process does (stats,
// log-level, ping): channels, links, publish, drain; and what it ingests. Handlers run on the
// control thread, post to the broker's thread, and answer from there. Control is trusted: limits
// apply, no rules.

#include "peal/runtime/control.hpp"
#include "peal/runtime/process.hpp"
#include "server/broker_loop.hpp"

namespace peal::broker {

/// Adds the handlers; all three outlive the server's thread.
void add_control_handlers(runtime::ControlServer& control, BrokerLoop& loop,
                          runtime::Process& process, const Limits& limits);

}  // namespace peal::broker
