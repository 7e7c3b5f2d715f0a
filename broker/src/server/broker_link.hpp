#pragma once
// The broker's side of one link session: the link, what goes out on it, and what waits for credit.
// Pure. A peer that lags costs bounded memory and nobody else: live publications are dropped or
// replaced by their channel's latest head, reads wait for history credit, and what the peer asks
// waits (unconsumed, so bounded by the credit it was given) while it does not take its answers.

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "bus/peer_link_sender.hpp"
#include "peal/broker/core.hpp"
#include "peal/bus/peer_link.hpp"

namespace peal::broker {

/// ZeroMQ's routing id of a connection: names one link session, never to be used again.
using LinkKey = std::string;

/// Where the router's messages go.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual bus::MessageSink::Sent send(const LinkKey& key, wire::Message& message) = 0;
};

class BrokerLink final : public bus::MessageSink {
 public:
  BrokerLink(LinkKey key, PeerId peer, wire::Hello me, bus::LinkOptions options,
             std::size_t batch_bytes_max, Transport& out, bus::LinkTime now)
      : key_(std::move(key)),
        peer_(peer),
        out_(out),
        link_(std::move(me), options, now),
        sender_(link_, *this, batch_bytes_max) {}

  Sent send(wire::Message& message) override { return out_.send(key_, message); }

  const LinkKey& key() const { return key_; }
  PeerId peer() const { return peer_; }
  bus::PeerLink& link() { return link_; }
  const bus::PeerLink& link() const { return link_; }
  bus::LinkSender& sender() { return sender_; }

  enum class Delivered : std::uint8_t { sent, dropped, replaced };
  /// `fan_out` numbers the publication: its further aliases on this link cost no second copy.
  Delivered deliver(std::uint64_t fan_out, bus::Alias alias, const Epoch& epoch,
                    const PublicationView& publication);
  void head(const bus::HeadNotice& notice);
  void published(const bus::Published& outcome);
  void page(const bus::Page& page);
  void presence(const bus::PresenceAnswer& answer);
  void presence_event(const bus::PresenceEvent& event);
  void cluster_query(bus::RequestId id, const bus::ClusterQuery& query);
  void cluster_answer(bus::RequestId id, const bus::ClusterAnswer& answer);
  /// Tells of the channels that were left behind, when there is credit again.
  void announce_behind();

  /// A message that came while the peer did not take its answers.
  struct Stashed {
    std::string header;
    std::string body;
  };
  std::deque<Stashed> stash;
  /// Reads that wait for credit.
  struct WaitingRead {
    bus::ReadRequest request;
    std::string channel;
  };
  std::deque<WaitingRead> reads;
  std::uint64_t dropped = 0;

 private:
  const LinkKey key_;
  const PeerId peer_;
  Transport& out_;
  bus::PeerLink link_;
  bus::LinkSender sender_;
  std::uint64_t last_fan_out_ = 0;
  std::uint64_t last_batch_ = 0;
  std::unordered_map<std::uint32_t, bus::HeadNotice> behind_;  ///< by alias index
  /// Channels whose joins and leaves were not told: they are to be asked for again. By alias index.
  std::unordered_map<std::uint32_t, bus::Alias> presence_behind_;
};

}  // namespace peal::broker
