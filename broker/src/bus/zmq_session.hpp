#pragma once
// The connecting side of one link session: commands of all ports go out numbered, what comes in is
// sorted to the ports. Pure, owned by the bus thread, dead once its link has ended; the next one is
// a new object. An alias of port p, index i is i * ports + p on the wire, so the broker sees one
// alias space per link and a publication is sent once however many ports of this process watch its
// channel.

#include <cstdint>
#include <string_view>

#include "bus/peer_link_sender.hpp"
#include "bus/turn_results.hpp"
#include "bus/unanswered.hpp"
#include "bus/zmq_queries.hpp"
#include "peal/bus/peer_link.hpp"
#include "peal/proto/bus_refusals.hpp"

namespace peal::bus {

/// What a session asks of the bus thread.
class SessionOwner : public MessageSink {
 public:
  /// Where to put what is for a port.
  virtual TurnResults& results(std::uint32_t port) = 0;
  /// A publication for a port, as far as it has room.
  virtual void deliver(std::uint32_t port, Alias alias, const Epoch& epoch,
                       const PublicationView& publication) = 0;
  /// Whether the port is to hear it.
  virtual bool on_head(std::uint32_t port, const HeadNotice& notice) = 0;
  virtual bool on_presence_event(std::uint32_t port, Alias alias) = 0;
  /// Where questions to the cluster, and answers to them, belong; null: nowhere.
  virtual ZmqQueries* queries() { return nullptr; }
};

class ZmqSession final : private wire::OperationSink {
 public:
  ZmqSession(SessionOwner& owner, wire::Hello me, LinkOptions options, std::uint32_t ports,
             std::size_t batch_bytes_max, LinkTime now, const Standing& standing = {});

  PeerLink& link() { return link_; }
  const PeerLink& link() const { return link_; }

  /// One message from the socket.
  PeerLink::Verdict on_message(std::string_view header, std::string_view body, LinkTime now);
  void on_turn(LinkTime now);
  void flush(LinkTime now) { sender_.flush(now); }
  bool stuck() const { return sender_.stuck(); }

  /// Whether commands may be written (linked, and credit in both classes they use).
  bool takes_commands() const {
    return link_.has_credit(wire::LinkClass::control) && link_.has_credit(wire::LinkClass::live);
  }
  /// `seen`: the epoch of the channel that this process knows of.
  void watch(std::uint32_t port, Alias alias, std::string_view channel,
             const std::optional<Epoch>& seen = {});
  void unwatch(std::uint32_t port, Alias alias);
  void publish(std::uint32_t port, const PublishRequest& request);
  void read(std::uint32_t port, const ReadRequest& request);
  void enter(std::uint32_t port, Alias alias, const Member& member);
  void leave(std::uint32_t port, Alias alias, std::string_view session);
  void presence(std::uint32_t port, const PresenceRequest& request);
  void cluster_query(RequestId id, const ClusterQuery& query);
  void cluster_answer(RequestId id, const ClusterAnswer& answer);
  /// Goes stale with this session. The bus thread's.
  const std::shared_ptr<ZmqSession*>& handle() const { return handle_; }

  /// The link has ended: tells the ports what became of what they asked, and the other side why.
  void close(LinkTime now);

 private:
  Alias to_wire(std::uint32_t port, Alias alias) const {
    return {alias.index * ports_ + port, alias.generation};
  }
  std::uint32_t port_of(Alias alias) const { return alias.index % ports_; }
  Alias from_wire(Alias alias) const { return {alias.index / ports_, alias.generation}; }

  void on_delivery(const Delivery& delivery) override;
  void on_head(const HeadNotice& notice) override;
  void on_published(const Published& outcome) override;
  void on_page(const Page& page) override;
  void on_presence_answer(const PresenceAnswer& answer) override;
  void on_presence_event(const PresenceEvent& event) override;
  void on_cluster_query(RequestId id, const ClusterQuery& query) override;
  void on_cluster_answer(RequestId id, const ClusterAnswer& answer) override;

  SessionOwner& owner_;
  PeerLink link_;
  LinkSender sender_;
  wire::Reader reader_{wire::Direction::to_peer};
  Unanswered unanswered_;
  const std::uint32_t ports_;
  const std::shared_ptr<ZmqSession*> handle_ = std::make_shared<ZmqSession*>(this);
};

}  // namespace peal::bus
