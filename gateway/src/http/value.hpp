#pragma once
// The value of a channel as a resource: the last publication kept, when that is no deletion; its
// position is the entity tag. And how an answer carries it. Pure.

#include <optional>
#include <string>

#include "http/http_machine.hpp"
#include "peal/gateway/rules.hpp"
#include "peal/proto/bus_messages.hpp"

namespace peal::gateway::http {

/// What is there, as the page of read_value() says; borrows from the page.
struct CurrentValue {
  const PublicationView* last = nullptr;  ///< null: nothing is kept
  Position position;                      ///< of `last`
  bool there() const { return last != nullptr && last->kind == Kind::value; }
  std::optional<Position> tag() const { return there() ? std::optional(position) : std::nullopt; }
};

/// What to read to learn the value.
bus::ReadRequest read_value(std::string_view channel);
CurrentValue current_value(const bus::Page& page);
/// 404 not_found or 410 gone, with the position of what deleted it.
Response absent_problem(const CurrentValue& value);

/// The value's own media type, with its parameters: as published, or application/json.
std::string_view content_type_of(const PublicationView& publication);
/// Cache-Control of what may be kept under this rule (null: none matches).
std::string cache_control(const ChannelRule* rule);

/// 200 with the value in its own form. A page among the values can't act as one of ours: it is
/// sandboxed.
Response value_response(const CurrentValue& value, std::string cache_control);

}  // namespace peal::gateway::http
