#pragma once
// Conditional requests (RFC 9110, 13): If-Match and If-None-Match, and what they make of a read.
// For writes they become expectations that the core judges (change_face.hpp); so does the
// Idempotency-Key. A resource has no
// Last-Modified, so conditions on dates are passed over, as the RFC says. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "http/etag.hpp"
#include "http/http_machine.hpp"

namespace peal::gateway::http {

struct Conditions {
  std::optional<TagList> match;
  std::optional<TagList> none_match;
  bool none() const { return !match && !none_match; }
};

/// request_invalid when one is malformed.
Result<Conditions> read_conditions(const Request& request);
/// Empty when there is none.
Result<std::string> read_idempotency_key(const Request& request);

enum class Verdict : std::uint8_t {
  proceed,
  not_modified,  ///< 304
  failed,        ///< 412
};
/// GET or HEAD of what is there, in the order of RFC 9110, 13.2.2.
Verdict judge_read(const Conditions& conditions, const Position& current, std::string_view form);
/// A write while `current` is there (none: nothing is): whether the conditions hold.
bool hold_for_write(const Conditions& conditions, const std::optional<Position>& current);

}  // namespace peal::gateway::http
