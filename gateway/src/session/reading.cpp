// Reading the log for whoever asks.
#include <algorithm>
#include <utility>

#include "session/sessions.hpp"

namespace peal::gateway {
namespace {

/// As many as a page may have.
constexpr std::size_t kPageBytesAny = ~std::size_t{0};

void refuse(const PageDone& done, Error error) {
  bus::Page page;
  page.error = std::move(error);
  done(page);
}

}  // namespace

void Sessions::read(const std::shared_ptr<const Principal>& principal,
                    const bus::ReadRequest& request, PageDone done) {
  if (auto error = config_.rules->may_subscribe(*principal, request.channel)) {
    probe_.failed(error->code);
    return refuse(done, std::move(*error));
  }
  if (!config_.hooks.subscribe) return read_trusted(request, std::move(done));
  const auto channel = std::make_shared<const std::string>(request.channel);
  SubscribeQuestion question{principal, SessionRef(), *channel};
  ask([&](HookCompletion completion) { config_.hooks.subscribe(question, std::move(completion)); },
      [this, channel, asked = request,
       done = std::move(done)](const Result<std::shared_ptr<const Principal>>& answer) mutable {
        if (!answer) return refuse(done, answer.error());
        asked.channel = *channel;
        read_trusted(asked, std::move(done));
      });
}

void Sessions::read_trusted(const bus::ReadRequest& request, PageDone done) {
  if (!bus_state_.linked)
    return refuse(done, fail(ErrorCode::broker_unavailable, "no broker can be reached"));
  bus::ReadRequest asked = request;
  asked.limit = std::min(request.limit, config_.limits.page_length_max);
  asked.bytes = std::min(request.bytes, config_.limits.page_bytes_max);
  reads_.read(asked, std::move(done));
}

void Sessions::on_page(const bus::Page& page) {
  if ((page.id & Hub::kReadBit) != 0) return hub_.on_page(page);
  reads_.on_page(page);
}

// A session's own read: in its turn among the session's commands on that channel.
void Sessions::history(Connection& connection, const Command& command) {
  if (command.limit > config_.limits.page_length_max)
    return fail_command(
        connection, command.id,
        fail(ErrorCode::command_invalid, "limit is above limits.page_length_max (" +
                                             std::to_string(config_.limits.page_length_max) + ")"));
  if (auto error = config_.rules->may_subscribe(*connection.principal, command.channel))
    return fail_command(connection, command.id, *error);
  const bus::ReadRequest request = history_request(command);
  const auto read = [this, request, id = command.id, channel = std::string(command.channel)](
                        Connection& session, const std::shared_ptr<const Principal>&) {
    ++session.unanswered;
    session.cold_part().asked.push_back(channel);
    bus::ReadRequest asked = request;
    asked.channel = channel;
    read_trusted(asked, [this, id, channel, index = session.index,
                         generation = connections_.generation(session)](const bus::Page& page) {
      Connection* asker = hook_answered(index, generation, channel);
      if (asker == nullptr) return;
      if (page.error && (!id || page.error->code != ErrorCode::position_lost)) {
        fail_command(*asker, id, *page.error);
      } else {
        if (page.error) probe_.failed(page.error->code);
        reply(*asker, id, HistoryResult{&page});
      }
      answered(*asker);
    });
  };
  if (!config_.hooks.subscribe) return read(connection, connection.principal);
  SubscribeQuestion question{connection.principal, ref(connection), std::string(command.channel)};
  ask_for(
      connection, command.id, command.channel,
      [&](HookCompletion completion) { config_.hooks.subscribe(question, std::move(completion)); },
      read);
}

Since since_of(const Command& command) {
  using Word = Command::SinceWord;
  if (command.since) return {Since::Kind::position, *command.since};
  if (command.since_word == Word::start) return {Since::Kind::start, {}};
  if (command.since_word == Word::state) return {Since::Kind::state, {}};
  return {};
}

bus::ReadRequest history_request(const Command& command) {
  bus::ReadRequest request;
  request.channel = command.channel;
  if (command.reverse) request.mode = bus::ReadRequest::Mode::reverse;
  if (command.since) {
    request.epoch = command.since->epoch;
    request.after = command.since->offset;
  }
  request.limit = command.limit;
  request.bytes = kPageBytesAny;
  return request;
}

}  // namespace peal::gateway
