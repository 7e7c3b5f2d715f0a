// Following a channel on behalf of a client that has no session.
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {

FollowId Sessions::follow(const std::shared_ptr<const Principal>& principal,
                          std::string_view channel, Follower& follower) {
  const auto refused = [&](const Error& error) {
    probe_.failed(error.code);
    follower.on_refused(error);
    return FollowId{0};
  };
  if (auto error = config_.rules->may_subscribe(*principal, channel)) return refused(*error);
  if (!bus_state_.linked)
    return refused(fail(ErrorCode::broker_unavailable, "no broker can be reached"));
  const FollowId id = hub_.add_follower(follower);
  if (!config_.hooks.subscribe) {
    hub_.follow(id, channel);
    return id;
  }
  SubscribeQuestion question{principal, SessionRef(), std::string(channel)};
  ask([&](HookCompletion completion) { config_.hooks.subscribe(question, std::move(completion)); },
      [this, id, name = question.channel](const Result<std::shared_ptr<const Principal>>& answer) {
        if (!answer) return hub_.refuse_follower(id, answer.error());
        if (!bus_state_.linked)
          return hub_.refuse_follower(
              id, fail(ErrorCode::broker_unavailable, "no broker can be reached"));
        hub_.follow(id, name);
      });
  return id;
}

}  // namespace peal::gateway
