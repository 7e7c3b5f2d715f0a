#pragma once
// Sessions as operators see them: `peal sessions`, and Gateway::sessions.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace peal::gateway {

struct SessionInfo {
  std::string id;
  std::string user;
  std::string peer;
  std::string protocol;
  std::size_t subscriptions = 0;
  std::size_t queued_bytes = 0;
  std::size_t commands_unanswered = 0;
  std::chrono::seconds age{0};
};

struct SessionPage {
  std::vector<SessionInfo> sessions;
  std::string next;  ///< give it as `after` for the next page; empty: that was all
};

}  // namespace peal::gateway
