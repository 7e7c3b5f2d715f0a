#pragma once
// The details of questions to a cluster inside a body frame (schema/bus.proto: Query), written and
// read by hand like the others (bus_wire_detail.hpp). What is read owns its texts and is within the
// bounds that ClusterQuery names. `decode_…` is false when broken.

#include <string>
#include <string_view>

#include "bus_wire_detail.hpp"
#include "peal/proto/cluster_query.hpp"

namespace peal::wire {

/// Whether the detail is an answer, not a question.
bool is_cluster_answer(std::string_view detail);

void encode_cluster_query(std::string& out, const bus::ClusterQuery& query);
bool decode_cluster_query(std::string_view detail, bus::ClusterQuery& query);
void encode_cluster_answer(std::string& out, const bus::ClusterAnswer& answer);
bool decode_cluster_answer(std::string_view detail, bus::ClusterAnswer& answer);

}  // namespace peal::wire
