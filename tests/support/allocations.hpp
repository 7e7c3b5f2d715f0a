#pragma once
// Counts this thread's heap allocations, so that a test can say that a hot path makes none. Linking
// it replaces operator new for the whole test executable.

#include <cstdint>

namespace peal::test {

/// Allocations of the calling thread since it began.
std::uint64_t allocations();

}  // namespace peal::test
