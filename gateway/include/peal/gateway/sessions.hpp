#pragma once
// Sessions and channels as operators see them: `peal sessions`, `peal channels`, and the same of
// Gateway.

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

/// A channel that sessions of this gateway are subscribed to.
struct ChannelInfo {
  std::string name;
  std::size_t subscribers = 0;
};

struct ChannelPage {
  std::vector<ChannelInfo> channels;  ///< in name order
  std::string next;
};

}  // namespace peal::gateway
