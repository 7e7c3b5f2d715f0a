// Publishing: from sessions, from HTTP, from the application; and the hooks that are asked before.
#include <algorithm>
#include <utility>

#include "peal/proto/owned_publish.hpp"
#include "session/sessions.hpp"

namespace peal::gateway {

namespace {

bus::Published refused(Error error) {
  bus::Published outcome;
  outcome.status = bus::Published::Status::refused;
  outcome.error = std::move(error);
  return outcome;
}

Error unavailable() {
  return fail(ErrorCode::broker_unavailable, "no broker can be reached");
}

}  // namespace

std::optional<Error> Sessions::refusal(const Principal& principal,
                                       const bus::PublishRequest& request) const {
  if (auto error = config_.rules->may_publish(principal, request.channel)) return error;
  if (bytes_of(request.publication) > config_.limits.message_bytes_max)
    return fail(ErrorCode::message_too_large, "the message is over limits.message_bytes_max");
  if (!bus_state_.linked) return unavailable();
  return std::nullopt;
}

void Sessions::submit(const bus::PublishRequest& request, Asked asked) {
  const std::uint32_t index = asked_.emplace(std::move(asked));
  bus::PublishRequest sent = request;
  sent.id = (bus::RequestId{asked_.generation(index) & 0x7fffffff} << 32) | index;
  port_->publish(sent);
}

void Sessions::on_published(std::span<const bus::Published> outcomes) {
  for (const bus::Published& outcome : outcomes) {
    const auto index = static_cast<std::uint32_t>(outcome.id);
    const auto generation = static_cast<std::uint32_t>(outcome.id >> 32);
    if (!asked_.used(index) || (asked_.generation(index) & 0x7fffffff) != generation) continue;
    Asked asked = std::move(asked_.at(index));
    asked_.erase(index);
    settle(asked, outcome);
  }
}

void Sessions::end() {
  bus::Published outcome;
  outcome.status = bus::Published::Status::unknown;
  outcome.error = fail(ErrorCode::publish_outcome_unknown, "the gateway stopped meanwhile");
  for (std::uint32_t i = 0; i < asked_.limit(); ++i) {
    if (!asked_.used(i)) continue;
    Asked asked = std::move(asked_.at(i));
    asked_.erase(i);
    settle(asked, outcome);
  }
  reads_.end(fail(ErrorCode::draining, "the gateway stopped meanwhile"));
  end_presences();
}

void Sessions::settle(Asked& asked, const bus::Published& outcome) {
  if (outcome.error) probe_.failed(outcome.error->code);
  if (asked.done) return asked.done(outcome);
  Connection* connection = connections_.find(asked.connection, asked.generation);
  if (asked.many) {
    asked.many->outcomes[asked.place] = outcome;
    if (--asked.many->missing > 0) return;
  }
  if (connection == nullptr || connection->state != Connection::State::open) return;
  if (asked.many) {
    reply(*connection, asked.id, PublishResult{asked.many->outcomes, true});
  } else if (asked.id) {
    reply(*connection, asked.id, PublishResult{{&outcome, 1}, false});
  } else if (outcome.status != bus::Published::Status::ok) {
    const Error error =
        outcome.error ? *outcome.error : fail(ErrorCode::publish_outcome_unknown, "");
    connections_.outlet().append(*connection,
                                 encoder_.push_frame(connection->variant, ErrorPush{&error}));
  }
  --connection->publishes_unanswered;
  answered(*connection);
}

void Sessions::publish(Connection& connection, const Command& command) {
  bus::PublishRequest request = command.publish;
  request.channel = command.channel;
  if (auto error = refusal(*connection.principal, request))
    return fail_command(connection, command.id, *error);
  Asked asked;
  asked.connection = connection.index;
  asked.generation = connections_.generation(connection);
  asked.id = command.id;
  if (!config_.hooks.publish) {
    ++connection.unanswered;
    ++connection.publishes_unanswered;
    return submit(request, std::move(asked));
  }
  const auto owned = std::make_shared<bus::OwnedPublish>(request);
  PublishQuestion question{connection.principal, ref(connection), owned->channel(),
                           owned->publication()};
  ask_for(
      connection, command.id, command.channel,
      [&](HookCompletion completion) { config_.hooks.publish(question, std::move(completion)); },
      [this, owned, asked](Connection& session, const std::shared_ptr<const Principal>&) {
        ++session.unanswered;
        ++session.publishes_unanswered;
        if (bus_state_.linked) return submit(owned->request(), asked);
        Asked settled = asked;
        settle(settled, refused(unavailable()));
      });
}

void Sessions::publish_many(Connection& connection, const Command& command) {
  const auto many = std::make_shared<Many>();
  many->missing = command.channels.size();
  many->outcomes.resize(command.channels.size());
  ++connection.unanswered;
  ++connection.publishes_unanswered;
  const std::shared_ptr<const Principal> principal = connection.principal;
  for (std::size_t i = 0; i < command.channels.size(); ++i) {
    bus::PublishRequest request = command.publish;
    request.channel = command.channels[i];
    Asked asked;
    asked.connection = connection.index;
    asked.generation = connections_.generation(connection);
    asked.id = command.id;
    asked.many = many;
    asked.place = i;
    if (auto error = refusal(*principal, request)) {
      settle(asked, refused(*error));
      continue;
    }
    if (!config_.hooks.publish) {
      submit(request, std::move(asked));
      continue;
    }
    const auto owned = std::make_shared<bus::OwnedPublish>(request);
    PublishQuestion question{principal, ref(connection), owned->channel(), owned->publication()};
    connection.cold_part().asked.push_back(owned->channel());
    ask([&](HookCompletion completion) { config_.hooks.publish(question, std::move(completion)); },
        [this, owned, asked](const Result<std::shared_ptr<const Principal>>& answer) {
          Connection* session = hook_answered(asked.connection, asked.generation, owned->channel());
          if (session != nullptr) connections_.resume(*session);
          Asked settled = asked;
          if (!answer) return settle(settled, refused(answer.error()));
          if (!bus_state_.linked) return settle(settled, refused(unavailable()));
          submit(owned->request(), std::move(settled));
        });
  }
}

void Sessions::publish(std::shared_ptr<const Principal> principal,
                       const bus::PublishRequest& request, PublishDone done) {
  if (auto error = refusal(*principal, request)) {
    probe_.failed(error->code);
    return done(refused(*error));
  }
  Asked asked;
  asked.done = std::move(done);
  if (!config_.hooks.publish) return submit(request, std::move(asked));
  const auto owned = std::make_shared<bus::OwnedPublish>(request);
  PublishQuestion question{std::move(principal), SessionRef(), owned->channel(),
                           owned->publication()};
  ask([&](HookCompletion completion) { config_.hooks.publish(question, std::move(completion)); },
      [this, owned, asked](const Result<std::shared_ptr<const Principal>>& answer) {
        Asked settled = asked;
        if (!answer) return settle(settled, refused(answer.error()));
        if (!bus_state_.linked) return settle(settled, refused(unavailable()));
        submit(owned->request(), std::move(settled));
      });
}

void Sessions::publish_trusted(const bus::PublishRequest& request, PublishDone done) {
  Asked asked;
  asked.done = std::move(done);
  if (bytes_of(request.publication) > config_.limits.message_bytes_max)
    return settle(asked, refused(fail(ErrorCode::message_too_large,
                                      "the message is over limits.message_bytes_max")));
  if (!bus_state_.linked) return settle(asked, refused(unavailable()));
  submit(request, std::move(asked));
}

void Sessions::ask(const std::function<void(HookCompletion)>& question, Answer then) {
  const std::uint64_t number = next_hook_++;
  hooks_.emplace(number, std::move(then));
  const auto resolve = [this](std::uint64_t which,
                              Result<std::shared_ptr<const Principal>> answer) {
    auto found = hooks_.extract(which);
    if (!found.empty()) found.mapped()(std::move(answer));
  };
  host_.later(config_.hooks.deadline, [resolve, number] {
    resolve(number, fail(ErrorCode::hook_failed, "the hook missed its deadline"));
  });
  HookCompletion completion(
      [mailbox = host_.mailbox, resolve, number](Result<std::shared_ptr<const Principal>> answer) {
        mailbox->post([resolve, number, answer = std::move(answer)] { resolve(number, answer); });
      });
  try {
    question(completion);
  } catch (const std::exception& error) {
    completion.deny(fail(ErrorCode::hook_failed, std::string("the hook failed: ") + error.what()));
  }
}

Connection* Sessions::hook_answered(std::uint32_t index, std::uint32_t generation,
                                    std::string_view channel) {
  Connection* session = connections_.find(index, generation);
  if (session == nullptr || session->state != Connection::State::open) return nullptr;
  std::vector<std::string>& asked = session->cold->asked;
  asked.erase(std::find(asked.begin(), asked.end(), channel));
  return session;
}

void Sessions::ask_for(Connection& connection, std::optional<std::uint64_t> id,
                       std::string_view channel,
                       const std::function<void(HookCompletion)>& question,
                       std::function<void(Connection&, std::shared_ptr<const Principal>)> allowed) {
  ++connection.unanswered;
  connection.cold_part().asked.emplace_back(channel);
  ask(question, [this, index = connection.index, generation = connections_.generation(connection),
                 id, name = std::string(channel),
                 allowed = std::move(allowed)](Result<std::shared_ptr<const Principal>> answer) {
    Connection* session = hook_answered(index, generation, name);
    if (session == nullptr) return;
    if (answer)
      allowed(*session, std::move(*answer));
    else
      fail_command(*session, id, answer.error(), name);
    answered(*session);
  });
}

}  // namespace peal::gateway
