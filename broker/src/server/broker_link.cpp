#include "server/broker_link.hpp"

namespace peal::broker {
namespace {

using wire::LinkClass;

/// What an operation weighs beside its texts.
constexpr std::size_t kOperationBytes = 16;

std::size_t weight(const PublicationView& p) {
  return p.payload.size() + p.key.size() + p.type.size() + p.tags.size() + p.source.size() +
         p.origin.size() + p.unknown_fields.size() + kOperationBytes;
}

std::size_t weight(const std::optional<Error>& error) {
  return kOperationBytes + (error ? error->message.size() : 0);
}

std::size_t weight(const bus::Member& member) {
  return kOperationBytes + member.session.size() + member.user.size() + member.data.size();
}

}  // namespace

BrokerLink::Delivered BrokerLink::deliver(std::uint64_t fan_out, bus::Alias alias,
                                          const Epoch& epoch, const PublicationView& publication) {
  if (publication.payload.size() > link_.peer().message_bytes_max) [[unlikely]] {
    ++dropped;  // its socket would close the connection over it
    return Delivered::dropped;
  }
  if (!link_.has_credit(LinkClass::live)) [[unlikely]] {
    if (publication.offset.value == 0) {
      ++dropped;
      return Delivered::dropped;
    }
    bus::HeadNotice notice;
    notice.alias = alias;
    notice.head = Head{epoch, publication.offset, {}};
    behind_.insert_or_assign(alias.index, notice);
    return Delivered::replaced;
  }
  if (fan_out == last_fan_out_ && sender_.batch() == last_batch_) {
    sender_.append(LinkClass::live, kOperationBytes / 2).also(alias);
    return Delivered::sent;
  }
  sender_.write(LinkClass::live, weight(publication)).delivery(alias, epoch, publication);
  last_fan_out_ = fan_out;
  last_batch_ = sender_.batch();
  return Delivered::sent;
}

void BrokerLink::head(const bus::HeadNotice& notice) {
  sender_.write(LinkClass::control, weight(notice.error)).head(notice);
}

void BrokerLink::published(const bus::Published& outcome) {
  sender_.write(LinkClass::control, weight(outcome.error)).published(outcome);
}

void BrokerLink::page(const bus::Page& page) {
  std::size_t bytes = weight(page.error);
  for (const PublicationView& publication : page.publications)
    bytes += weight(publication);
  sender_.write(LinkClass::history, bytes).page(page);
}

void BrokerLink::presence(const bus::PresenceAnswer& answer) {
  if (link_.version() < wire::kVersionPresence) return;
  std::size_t bytes = weight(answer.error);
  for (const bus::Member& member : answer.members)
    bytes += weight(member);
  sender_.write(LinkClass::control, bytes).presence_answer(answer);
}

void BrokerLink::presence_event(const bus::PresenceEvent& event) {
  if (link_.version() < wire::kVersionPresence) return;
  if (!link_.has_credit(LinkClass::live)) {
    presence_behind_.insert_or_assign(event.alias.index, event.alias);
    return;
  }
  sender_.write(LinkClass::live, weight(event.member)).presence_event(event);
}

void BrokerLink::cluster_query(bus::RequestId id, const bus::ClusterQuery& query) {
  sender_.write(LinkClass::control, wire::weight(query)).cluster_query(id, query);
}

void BrokerLink::cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer) {
  sender_.write(LinkClass::control, wire::weight(answer)).cluster_answer(id, answer);
}

void BrokerLink::announce_behind() {
  while (!presence_behind_.empty() && link_.has_credit(LinkClass::live)) {
    const bus::Alias alias = presence_behind_.begin()->second;
    presence_behind_.erase(presence_behind_.begin());
    presence_event({alias, bus::PresenceEvent::What::changed, {}});
  }
  while (!behind_.empty() && link_.has_credit(LinkClass::live) &&
         link_.has_credit(LinkClass::control)) {
    head(behind_.begin()->second);
    behind_.erase(behind_.begin());
  }
}

}  // namespace peal::broker
