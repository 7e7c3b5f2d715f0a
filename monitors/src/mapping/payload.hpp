#pragma once
// The payload of a rule that has no template of its own:
//   {"event","schema","table","old"?,"new"?,"unchanged"?: [column],"old_missing"?: why}
// `unchanged` names columns of the new row whose value the source did not send.

#include <string>

#include "peal/monitor/change.hpp"
#include "peal/monitor/ring.hpp"

namespace peal::monitor {

std::string change_json(const Change& change, Event event);

/// Whether it may be a message, with all that goes with it.
bool fits(const Ring& ring, std::size_t message_bytes_max);

/// What is larger than a message may be rings all the same, without its rows:
///   {"event","schema","table","key"?,"too_large": true}
/// False: it is not too large.
bool cut_to_size(Ring& ring, const Change& change, std::size_t message_bytes_max);

}  // namespace peal::monitor
