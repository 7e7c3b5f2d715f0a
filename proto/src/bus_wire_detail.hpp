#pragma once
// The details of the bus's operations, as bytes inside a body frame and back: what is read are
// views into it. `decode_…` is false when broken.

#include <cstdint>
#include <string>
#include <string_view>

#include "bus_wire_fields.hpp"
#include "peal/proto/bus_messages.hpp"

namespace peal::wire {

void encode_attributes(std::string& out, const PublicationView& publication);
/// Attributes and the conditions of a publish.
void encode_request(std::string& out, const bus::PublishRequest& request);
/// Fills all but channel, id, payload, offset and time. False: broken.
bool decode_request(std::string_view detail, bus::PublishRequest& request);

void encode_read(std::string& out, const bus::ReadRequest& request);
bool decode_read(std::string_view detail, bus::ReadRequest& request);
void encode_head(std::string& out, const bus::HeadNotice& notice);
bool decode_head(std::string_view detail, bus::HeadNotice& notice);
void encode_outcome(std::string& out, const bus::Published& outcome);
bool decode_outcome(std::string_view detail, bus::Published& outcome);
void encode_page(std::string& out, const bus::Page& page);
/// `count` is how many items follow.
bool decode_page(std::string_view detail, bus::Page& page, std::uint64_t& count);

}  // namespace peal::wire
