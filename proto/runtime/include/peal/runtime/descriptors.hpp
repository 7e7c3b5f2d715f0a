#pragma once
// File descriptors as a limited resource. A process uses as many as its hard limit allows, and
// leaves the last ones to operators: when clients have taken all others, the control socket can
// still accept (libzmq 4.3 aborts the process when it can't on ipc://) and /healthz can still
// answer.

#include <cstddef>

namespace peal::runtime {

/// Raises the soft limit to the hard one; gives the limit as it is then.
std::size_t raise_descriptor_limit();

/// A client's connection whose descriptor is this or higher must be closed at once. The kernel
/// gives out the lowest free number, so that this leaves 128 (of small limits a quarter) to
/// everything else.
int client_descriptor_end();

}  // namespace peal::runtime
