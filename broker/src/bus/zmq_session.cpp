#include "bus/zmq_session.hpp"

#include <algorithm>
#include <string>

namespace peal::bus {
namespace {

using wire::LinkClass;

/// What an operation weighs beside its name and payload.
constexpr std::size_t kOperationBytes = 32;

}  // namespace

ZmqSession::ZmqSession(SessionOwner& owner, wire::Hello me, LinkOptions options,
                       std::uint32_t ports, std::size_t batch_bytes_max, LinkTime now,
                       const Standing& standing)
    : owner_(owner),
      link_(std::move(me), options, now),
      sender_(link_, owner, batch_bytes_max),
      ports_(ports) {
  link_.stand(standing);
  sender_.hello(now);
}

PeerLink::Verdict ZmqSession::on_message(std::string_view header, std::string_view body,
                                         LinkTime now) {
  if (const auto read = reader_.read(header, body); !read) {
    link_.on_garbage(read.error());
    return {};
  }
  const auto verdict = link_.on_message({reader_.stamp(), reader_.hello(), reader_.refusal(),
                                         reader_.numbered(), reader_.has_operations()},
                                        now);
  if (!verdict.take) return verdict;
  reader_.walk(*this);
  link_.consumed(reader_.stamp().bytes);
  return verdict;
}

void ZmqSession::on_turn(LinkTime now) {
  link_.on_turn(now);
  if (sender_.gone()) link_.end(fail(ErrorCode::broker_unavailable, "the connection is gone"));
}

void ZmqSession::watch(std::uint32_t port, Alias alias, std::string_view channel,
                       const std::optional<Epoch>& seen) {
  sender_.write(LinkClass::control, channel.size() + kOperationBytes)
      .watch(to_wire(port, alias), channel,
             link_.version() >= wire::kVersionMembers ? seen : std::nullopt);
}

void ZmqSession::unwatch(std::uint32_t port, Alias alias) {
  sender_.write(LinkClass::control, kOperationBytes).unwatch(to_wire(port, alias));
}

void ZmqSession::publish(std::uint32_t port, const PublishRequest& request) {
  // A message that its socket does not take would cost everybody the link.
  const std::uint64_t most = std::min(link_.me().message_bytes_max, link_.peer().message_bytes_max);
  if (bytes_of(request.publication) > most) {
    if (request.id == 0) return;
    return owner_.results(port).published(
        refused_publish(request.id, fail(ErrorCode::message_too_large,
                                         "the message, with its key, type and source, is larger "
                                         "than limits.message_bytes_max (" +
                                             std::to_string(most) + ')')));
  }
  PublishRequest numbered = request;
  wire::Writer& writer =
      sender_.write(LinkClass::live,
                    request.channel.size() + request.publication.payload.size() + kOperationBytes);
  if (request.id != 0) {
    numbered.id = unanswered_.ask({Asked::What::publish, port, request.id});
    sender_.mark(numbered.id);
  }
  writer.publish(numbered);
}

void ZmqSession::read(std::uint32_t port, const ReadRequest& request) {
  ReadRequest numbered = request;
  wire::Writer& writer =
      sender_.write(LinkClass::control, request.channel.size() + kOperationBytes);
  numbered.id = unanswered_.ask({Asked::What::read, port, request.id});
  sender_.mark(numbered.id);
  writer.read(numbered);
}

void ZmqSession::enter(std::uint32_t port, Alias alias, const Member& member) {
  if (link_.version() < wire::kVersionPresence) return;
  sender_
      .write(LinkClass::control,
             member.session.size() + member.user.size() + member.data.size() + kOperationBytes)
      .enter(to_wire(port, alias), member);
}

void ZmqSession::leave(std::uint32_t port, Alias alias, std::string_view session) {
  if (link_.version() < wire::kVersionPresence) return;
  sender_.write(LinkClass::control, session.size() + kOperationBytes)
      .leave(to_wire(port, alias), session);
}

void ZmqSession::presence(std::uint32_t port, const PresenceRequest& request) {
  if (link_.version() < wire::kVersionPresence) {
    return owner_.results(port).presence(failed_presence(
        request.id,
        fail(ErrorCode::version_unsupported, "the broker is too old to keep who is there")));
  }
  PresenceRequest numbered = request;
  wire::Writer& writer = sender_.write(
      LinkClass::control, request.channel.size() + request.after.size() + kOperationBytes);
  numbered.id = unanswered_.ask({Asked::What::presence, port, request.id});
  sender_.mark(numbered.id);
  writer.presence(numbered);
}

void ZmqSession::cluster_query(RequestId id, const ClusterQuery& query) {
  sender_.write(LinkClass::control, wire::weight(query)).cluster_query(id, query);
}

void ZmqSession::cluster_answer(RequestId id, const ClusterAnswer& answer) {
  sender_.write(LinkClass::control, wire::weight(answer)).cluster_answer(id, answer);
}

void ZmqSession::close(LinkTime now) {
  const Error why = link_.why().value_or(fail(ErrorCode::broker_unavailable, "the link is over"));
  if (link_.should_refuse()) sender_.refuse(why, now);
  unanswered_.drain([&](std::uint64_t number, const Asked& asked) {
    TurnResults& results = owner_.results(asked.port);
    if (asked.what == Asked::What::read) {
      results.page(failed_page(asked.id, fail(ErrorCode::broker_unavailable, why.message)));
    } else if (asked.what == Asked::What::presence) {
      results.presence(failed_presence(asked.id, fail(ErrorCode::broker_unavailable, why.message)));
    } else if (number <= sender_.marker_sent()) {
      results.published(unknown_publish(asked.id, why.message));
    } else {
      results.published(
          refused_publish(asked.id, fail(ErrorCode::broker_unavailable, why.message)));
    }
  });
}

void ZmqSession::on_delivery(const Delivery& delivery) {
  owner_.deliver(port_of(delivery.alias), from_wire(delivery.alias), delivery.epoch,
                 delivery.publication);
}

void ZmqSession::on_head(const HeadNotice& notice) {
  HeadNotice mine = notice;
  mine.alias = from_wire(notice.alias);
  const std::uint32_t port = port_of(notice.alias);
  if (owner_.on_head(port, mine)) owner_.results(port).head(mine);
}

void ZmqSession::on_published(const Published& outcome) {
  const auto asked = unanswered_.answer(outcome.id, Asked::What::publish);
  if (!asked) return;
  Published mine = outcome;
  mine.id = asked->id;
  owner_.results(asked->port).published(mine);
}

void ZmqSession::on_page(const Page& page) {
  const auto asked = unanswered_.answer(page.id, Asked::What::read);
  if (!asked) return;
  Page mine = page;
  mine.id = asked->id;
  owner_.results(asked->port).page(mine);
}

void ZmqSession::on_presence_answer(const PresenceAnswer& answer) {
  const auto asked = unanswered_.answer(answer.id, Asked::What::presence);
  if (!asked) return;
  PresenceAnswer mine = answer;
  mine.id = asked->id;
  owner_.results(asked->port).presence(mine);
}

void ZmqSession::on_presence_event(const PresenceEvent& event) {
  PresenceEvent mine = event;
  mine.alias = from_wire(event.alias);
  const std::uint32_t port = port_of(event.alias);
  if (owner_.on_presence_event(port, mine.alias)) owner_.results(port).presence_event(mine);
}

void ZmqSession::on_cluster_query(RequestId id, const ClusterQuery& query) {
  if (ZmqQueries* const mine = owner_.queries()) mine->on_query(*this, id, query);
}

void ZmqSession::on_cluster_answer(RequestId id, const ClusterAnswer& answer) {
  if (ZmqQueries* const mine = owner_.queries()) mine->on_answer(*this, id, answer);
}

}  // namespace peal::bus
