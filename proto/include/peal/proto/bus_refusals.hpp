#pragma once
// What is answered on the bus to something that can't be done, one function an answer.

#include <string>
#include <utility>

#include "peal/proto/bus_messages.hpp"
#include "peal/proto/presence.hpp"

namespace peal::bus {

/// The alias is free again.
inline HeadNotice refused_watch(Alias alias, Error why) {
  HeadNotice notice;
  notice.alias = alias;
  notice.answer = true;
  notice.error = std::move(why);
  return notice;
}

inline Published refused_publish(RequestId id, Error why) {
  Published outcome;
  outcome.id = id;
  outcome.status = Published::Status::refused;
  outcome.error = std::move(why);
  return outcome;
}

inline Published unknown_publish(RequestId id, std::string why) {
  Published outcome;
  outcome.id = id;
  outcome.status = Published::Status::unknown;
  outcome.error = fail(ErrorCode::publish_outcome_unknown, std::move(why));
  return outcome;
}

inline Page failed_page(RequestId id, Error why) {
  Page page;
  page.id = id;
  page.error = std::move(why);
  return page;
}

inline PresenceAnswer failed_presence(RequestId id, Error why) {
  PresenceAnswer answer;
  answer.id = id;
  answer.error = std::move(why);
  return answer;
}

}  // namespace peal::bus
