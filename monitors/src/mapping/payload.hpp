#pragma once
// The payload of a rule that has no template of its own:
//   {"event","schema","table","old"?,"new"?,"unchanged"?: [column],"old_missing"?: why}
// `unchanged` names columns of the new row whose value the source did not send.

#include <string>

#include "peal/monitor/change.hpp"

namespace peal::monitor {

std::string change_json(const Change& change, Event event);

}  // namespace peal::monitor
