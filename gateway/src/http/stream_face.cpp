#include "http/stream_face.hpp"

#include <utility>

#include "http/accept.hpp"
#include "http/history_face.hpp"
#include "http/history_wait.hpp"
#include "http/poll.hpp"
#include "http/query.hpp"
#include "session/shard.hpp"

namespace peal::gateway::http {
namespace {

/// Not about who asks: the subscription will say what there is to say.
bool about_the_log(ErrorCode code) {
  return code == ErrorCode::not_recoverable || code == ErrorCode::broker_unavailable;
}

/// From where on a subscriber hears the last publication, or nothing when there is none.
Position before_last(const bus::Page& page) {
  if (page.publications.empty()) return page.head.position();
  return {page.head.epoch, {page.publications.front().offset.value - 1}};
}

}  // namespace

struct StreamFace::Waiting {
  Call call;
  StreamOrder order;
};

void StreamFace::serve(const Request& request, Call call) {
  auto asked = reader_.read(request);
  if (!asked) return desk_.refuse(call, asked.error());
  const char* type = asked->wait ? "application/json" : "text/event-stream";
  if (wish_for(request.header("Accept"), type).quality == 0)
    return desk_.refuse(call, fail(ErrorCode::not_acceptable,
                                   "text/event-stream is served, and application/json with wait="));
  if (all_refused(call, asked->order)) return;
  if (!asked->wait) return open(call, asked->order);
  std::make_shared<Poll>(desk_, protocol_, std::move(call), std::move(*asked))->open();
}

void StreamFace::wait(const Request& request, std::string_view channel, Call call) {
  const auto wait = reader_.read_wait(request.query);
  if (!wait) return desk_.refuse(call, wait.error());
  const auto read = read_history_query(request.query, channel, desk_.limits());
  if (!read) return desk_.refuse(call, read.error());
  if (read->mode != bus::ReadRequest::Mode::forward)
    return desk_.refuse(call, fail(ErrorCode::request_invalid, "reverse=true can't be waited for"));
  std::make_shared<HistoryWait>(desk_, protocol_, std::move(call), std::string(channel), *read)
      ->open(**wait);
}

void StreamFace::follow(const Request& request, std::string_view channel, Call call) {
  StreamOrder order;
  order.channels.push_back({.name = std::string(channel)});
  if (all_refused(call, order)) return;
  std::string token(request.header("Last-Event-ID"));
  for (const char* name : {"last_event_id", "since"})
    if (token.empty()) token = query_value(request.query, name).value_or("");
  if (token == "start") {
    order.channels[0].since_word = Command::SinceWord::start;
    return open(call, order);
  }
  if (!token.empty()) {
    const auto cursor = StreamCursor::parse(token, 1);
    if (!cursor) return desk_.refuse(call, cursor.error());
    if ((*cursor)[0].kind == StreamCursor::Place::Kind::at)
      order.channels[0].since = (*cursor)[0].position;
    return open(call, order);
  }
  bus::ReadRequest last;
  last.channel = channel;
  last.mode = bus::ReadRequest::Mode::reverse;
  last.limit = 1;
  Engine& engine = call.exchange.engine();
  const auto principal = call.principal;
  auto waiting = std::make_shared<Waiting>(Waiting{std::move(call), std::move(order)});
  engine.read(principal, last, [this, waiting](const bus::Page& page) {
    if (page.error && !about_the_log(page.error->code))
      return desk_.refuse(waiting->call, *page.error);
    if (!page.error) waiting->order.channels[0].since = before_last(page);
    open(waiting->call, waiting->order);
  });
}

bool StreamFace::all_refused(Call& call, const StreamOrder& order) {
  const ChannelRules& rules = *call.exchange.shard().config().rules;
  std::optional<Error> first;
  for (const StreamOrder::Channel& channel : order.channels) {
    auto error = rules.may_subscribe(*call.principal, channel.name);
    if (!error) return false;
    if (!first) first = std::move(error);
  }
  desk_.refuse(call, *first);
  return true;
}

void StreamFace::open(Call& call, const StreamOrder& order) {
  call.exchange.stream(protocol_, call.principal, desk_.cors_headers(call), order);
}

}  // namespace peal::gateway::http
