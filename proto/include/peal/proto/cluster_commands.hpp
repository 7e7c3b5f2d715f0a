#pragma once
// The commands of the control socket that ask the whole cluster, alike on gateway and broker:
//   disconnect {"session"|"user","reconnect"?,"reason"?} → {"disconnected", …}
//   count {"channels"?:[globs],"after"?,"limit"?}
//     → {"sessions","subscriptions","channels"?:[{"name","subscribers"}],"next"?, …}
// Both take "within_ms" (how long to wait for the others) and "here" (this gateway alone), and tell
// who was asked: "asked", "answered" and, when not all have, "missing":[{"node","reason"}]. Nobody
// found is session_not_found, but only when all have answered.

#include <optional>
#include <string>
#include <string_view>

#include "peal/proto/cluster_query.hpp"
#include "peal/proto/json.hpp"

namespace peal {

struct ClusterCommand {
  bus::ClusterQuery query;
  bool here = false;
};
Result<ClusterCommand> read_disconnect_command(JsonReader& reader, std::string_view payload);
Result<ClusterCommand> read_count_command(JsonReader& reader, std::string_view payload);

/// Why an answer is an error.
std::optional<Error> error_of(const bus::ClusterQuery& query, const bus::ClusterAnswer& answer);
/// The result of one that is none.
std::string cluster_json(const bus::ClusterQuery& query, const bus::ClusterAnswer& answer);

}  // namespace peal
