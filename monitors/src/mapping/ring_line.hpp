#pragma once
// A publication that is not made, as a dry run prints it: one line of JSON.

#include <string>

#include "peal/monitor/ring.hpp"

namespace peal::monitor {

/// {"channel", "key"?, "delete"?: true, "message"} and the end of the line.
std::string ring_line(const Ring& ring);

}  // namespace peal::monitor
