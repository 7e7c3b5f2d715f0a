#include "http/command_face.hpp"

#include <utility>

namespace peal::gateway::http {

void CommandFace::serve(const Request& request, Call call) {
  if (const auto wrong = json_.decode(request.body, command_))
    return desk_.refuse(call, wrong->error);
  switch (command_.action) {
    case Action::publish:
      return publish(command_, std::move(call));
    case Action::ping: {
      std::string body;
      json_.encode_reply(body, command_.id.value_or(0), PingResult{});
      return desk_.answer(call, json_response(std::move(body)));
    }
    case Action::connect:
    case Action::subscribe:
    case Action::unsubscribe:
    case Action::refresh:
      return desk_.refuse(call, fail(ErrorCode::action_unknown,
                                     "this action is about a session: send it over /ws"));
    case Action::history:
      return history(command_, std::move(call));
    case Action::presence:
      return presence(command_, std::move(call));
  }
}

void CommandFace::history(const Command& command, Call call) {
  if (command.limit > desk_.limits().page_length_max)
    return desk_.refuse(call, fail(ErrorCode::command_invalid,
                                   "limit is above limits.page_length_max (" +
                                       std::to_string(desk_.limits().page_length_max) + ")"));
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  const auto waiting = std::make_shared<Call>(std::move(call));
  engine.read(principal, history_request(command),
              [this, waiting, id = command.id.value_or(0)](const bus::Page& page) {
                if (page.error && page.error->code != ErrorCode::position_lost)
                  return desk_.refuse(*waiting, *page.error);
                std::string body;
                json_.encode_reply(body, id, HistoryResult{&page});
                desk_.answer(*waiting, json_response(std::move(body)));
              });
}

void CommandFace::presence(const Command& command, Call call) {
  bus::PresenceRequest request;
  request.channel = command.channel;
  request.after = command.after;
  request.limit = command.limit;
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  const auto waiting = std::make_shared<Call>(std::move(call));
  engine.presence(principal, request,
                  [this, waiting, id = command.id.value_or(0)](const bus::PresenceAnswer& answer) {
                    if (answer.error) return desk_.refuse(*waiting, *answer.error);
                    std::string body;
                    json_.encode_reply(body, id, PresenceResult(answer));
                    desk_.answer(*waiting, json_response(std::move(body)));
                  });
}

void CommandFace::publish(const Command& command, Call call) {
  struct Waiting {
    Call call;
    std::uint64_t id = 0;
    bool many = false;
    std::vector<bus::Published> outcomes{};
    std::size_t missing = 0;
  };
  std::vector<std::string_view> channels = command.channels;
  if (channels.empty()) channels.push_back(command.channel);
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Waiting>(
      Waiting{std::move(call), command.id.value_or(0), !command.channels.empty()});
  waiting->outcomes.resize(channels.size());
  waiting->missing = channels.size();
  bus::PublishRequest request = command.publish;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    request.channel = channels[i];
    engine.publish(principal, request, [this, waiting, i](const bus::Published& outcome) {
      if (outcome.error) desk_.probe().refused(outcome.error->code);
      waiting->outcomes[i] = outcome;
      if (--waiting->missing != 0) return;
      const bus::Published& first = waiting->outcomes.front();
      if (!waiting->many && first.error) return desk_.answer(waiting->call, problem(*first.error));
      std::string body;
      json_.encode_reply(body, waiting->id, PublishResult{waiting->outcomes, waiting->many});
      desk_.answer(waiting->call, json_response(std::move(body)));
    });
  }
}

}  // namespace peal::gateway::http
