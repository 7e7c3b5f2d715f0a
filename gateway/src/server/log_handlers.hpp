#pragma once
// The control socket's commands that look into logs and restore them: history and load
// (peal/proto/log_commands.hpp). Control is trusted: limits apply, channel rules don't.

#include "peal/gateway/gateway.hpp"
#include "peal/runtime/control.hpp"

namespace peal::gateway {

/// Both outlive the server's thread.
void add_log_handlers(runtime::ControlServer& control, Gateway& gateway);

}  // namespace peal::gateway
