#pragma once
// Ctrl-C for every verb: SIGINT and SIGTERM make a descriptor readable, so that loops end in their
// own time (answers collected, the report printed); the second one ends the process at once.
// SIGPIPE is ignored: who reads our output may go away, and Console then ends quietly.

namespace peal::cli {

/// Once, before any thread is made.
void install_signals();
bool interrupted();
/// Readable from the first signal on; never read it.
int interrupt_fd();

}  // namespace peal::cli
