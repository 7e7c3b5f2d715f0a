#pragma once
// The questions to the whole cluster that a broker has under way. Pure: no socket, no clock. A peer
// (or this process) asks; every gateway with a link is asked; what they find is put together and
// told when all have answered or the time is over. A gateway counts as asked also when it can't be
// reached: because its link speaks too old a version, or was lost within the last kRemembered
// without a goodbye. So an answer never looks more complete than it is.
//   Bounded: questions of one peer (limits.queries_max), bytes of an answer
//   (limits.query_bytes_max).

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "core/cluster_answers.hpp"
#include "peal/broker/core.hpp"
#include "peal/bus/peer_link.hpp"
#include "peal/proto/cluster_query.hpp"
#include "peal/proto/limits.hpp"

namespace peal::broker {

class QueriesOut {
 public:
  virtual ~QueriesOut() = default;
  virtual void ask(PeerId gateway, bus::RequestId id, const bus::ClusterQuery& query) = 0;
  virtual void answered(PeerId asker, bus::RequestId id, const bus::ClusterAnswer& answer) = 0;
};

class ClusterQueries {
 public:
  static constexpr std::chrono::seconds kRemembered{60};

  ClusterQueries(const Limits& limits, QueriesOut& out) : limits_(limits), out_(out) {}

  /// A peer that may ask; `answers`: a gateway. `version` is the link's.
  void linked(PeerId peer, const std::string& node, bool answers, std::uint32_t version);
  /// Its link is over; `goodbye`: it has said so and holds no sessions any more.
  void left(PeerId peer, bool goodbye, bus::LinkTime now);

  /// `id` is the asker's, unique while unanswered.
  void ask(PeerId asker, bus::RequestId id, const bus::ClusterQuery& query, bus::LinkTime now);
  /// Late ones, and second ones, are for nobody.
  void answer(PeerId gateway, bus::RequestId id, const bus::ClusterAnswer& answer);
  /// What is overdue is told.
  void turn(bus::LinkTime now);

  std::size_t under_way() const { return open_.size(); }

 private:
  struct Peer {
    std::string node;
    bool gateway;
    std::uint32_t version;
  };
  struct Open {
    PeerId asker;
    bus::RequestId id;
    std::chrono::milliseconds within;
    bus::LinkTime deadline;
    std::map<PeerId, std::string> waiting;  ///< gateways that have not answered
    ClusterAnswers answers;
  };
  using Opened = std::map<bus::RequestId, Open>;

  void ask_all(Open& open, bus::RequestId number, const bus::ClusterQuery& query,
               bus::LinkTime now);
  Opened::iterator finish(Opened::iterator at);
  void forget_long_lost(bus::LinkTime now);

  const Limits& limits_;
  QueriesOut& out_;
  std::map<PeerId, Peer> peers_;
  std::map<std::string, bus::LinkTime> lost_;  ///< gateways by name, since when
  Opened open_;
  std::map<PeerId, std::size_t> asking_;
  bus::RequestId next_ = 1;
};

}  // namespace peal::broker
