#pragma once
// The details of presence inside a body frame, written and read by hand like the others
// (bus_wire_detail.hpp): what is read are views into the frame. `decode_…` is false when broken.

#include <string>
#include <string_view>
#include <vector>

#include "bus_wire_detail.hpp"
#include "peal/proto/presence.hpp"

namespace peal::wire {

void encode_enter(std::string& out, const bus::Member& member);
void encode_leave(std::string& out, std::string_view session);
/// Both of them.
bool decode_coming(std::string_view detail, bool& leaves, bus::Member& member);

void encode_presence_event(std::string& out, const bus::PresenceEvent& event);
bool decode_presence_event(std::string_view detail, bus::PresenceEvent& event);

void encode_presence_request(std::string& out, const bus::PresenceRequest& request);
/// Fills all but id and channel.
bool decode_presence_request(std::string_view detail, bus::PresenceRequest& request);
void encode_presence_answer(std::string& out, const bus::PresenceAnswer& answer);
/// `members` holds the answer's; fills all but id.
bool decode_presence_answer(std::string_view detail, bus::PresenceAnswer& answer,
                            std::vector<bus::Member>& members);

}  // namespace peal::wire
