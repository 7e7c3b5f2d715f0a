// Who is there: asked for by sessions, HTTP and control, and told.
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {
namespace {

void refuse(const PresenceDone& done, Error error) {
  bus::PresenceAnswer answer;
  answer.error = std::move(error);
  done(answer);
}

}  // namespace

std::optional<Error> Sessions::presence_refusal(const Connection& connection,
                                                const Command& command) const {
  if (!command.presence) return std::nullopt;
  if (command.data.size() > config_.limits.presence_data_bytes_max)
    return fail(ErrorCode::message_too_large,
                "data is larger than limits.presence_data_bytes_max (" +
                    std::to_string(config_.limits.presence_data_bytes_max) + ")");
  return config_.rules->may_see_presence(*connection.principal, command.channel);
}

void Sessions::presence(const std::shared_ptr<const Principal>& principal,
                        const bus::PresenceRequest& request, PresenceDone done) {
  if (auto error = config_.rules->may_see_presence(*principal, request.channel)) {
    probe_.failed(error->code);
    return refuse(done, std::move(*error));
  }
  presence_trusted(request, std::move(done));
}

void Sessions::presence_trusted(const bus::PresenceRequest& request, PresenceDone done) {
  if (!bus_state_.linked)
    return refuse(done, fail(ErrorCode::broker_unavailable, "no broker can be reached"));
  const std::uint32_t index = presences_.emplace(std::move(done));
  bus::PresenceRequest asked = request;
  asked.id = (bus::RequestId{presences_.generation(index) & 0x7fffffff} << 32) | index;
  asked.limit = std::min(request.limit, config_.limits.presence_page_max);
  port_->presence(asked);
}

void Sessions::on_presence(const bus::PresenceAnswer& answer) {
  if (rooms_.on_answer(answer)) return;
  const auto index = static_cast<std::uint32_t>(answer.id);
  const auto generation = static_cast<std::uint32_t>(answer.id >> 32);
  if (!presences_.used(index) || (presences_.generation(index) & 0x7fffffff) != generation) return;
  const PresenceDone done = std::move(presences_.at(index));
  presences_.erase(index);
  done(answer);
}

void Sessions::end_presences() {
  for (std::uint32_t i = 0; i < presences_.limit(); ++i) {
    if (!presences_.used(i)) continue;
    const PresenceDone done = std::move(presences_.at(i));
    presences_.erase(i);
    refuse(done, fail(ErrorCode::draining, "the gateway stopped meanwhile"));
  }
}

// The answer keeps its place among the replies on its channel: what comes behind it waits.
void Sessions::list_presence(Connection& connection, const Command& command) {
  ++connection.unanswered;
  connection.cold_part().asked.emplace_back(command.channel);
  bus::PresenceRequest request;
  request.channel = command.channel;
  request.after = command.after;
  request.limit = command.limit;
  presence(
      connection.principal, request,
      [this, index = connection.index, generation = connections_.generation(connection),
       id = command.id, name = std::string(command.channel)](const bus::PresenceAnswer& answer) {
        Connection* session = hook_answered(index, generation, name);
        if (session == nullptr) return;
        if (answer.error)
          fail_command(*session, id, *answer.error);
        else
          reply(*session, id, PresenceResult(answer));
        answered(*session);
      });
}

}  // namespace peal::gateway
