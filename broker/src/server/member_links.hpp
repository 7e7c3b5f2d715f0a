#pragma once
// The links that this broker makes to the other members of its cluster: that they are seen, told
// how this one stands, and given what is published here but theirs to serve. The broker thread's.

#include <map>
#include <memory>
#include <vector>

#include "bus/turn_results.hpp"
#include "bus/zmq_dial.hpp"
#include "peal/bus/zmq_bus.hpp"
#include "server/other_brokers.hpp"

namespace peal::broker {

class MemberLinks final : public OtherBrokers, private bus::DialOwner {
 public:
  /// `members` in the order of their names; `me` is what this broker says first.
  MemberLinks(const std::vector<bus::BrokerAddress>& members, wire::Hello me,
              runtime::CurveConfig curve, const Limits& limits, const runtime::Logger& logger,
              std::uint64_t seed);

  void begin_turn(bus::LinkTime now);
  bool hear(bus::LinkTime now);  ///< true: there is more
  void end_turn(bus::LinkTime now);
  void close(bus::LinkTime now);

  /// Before sleeping: something is there already.
  bool pending() const;
  const std::vector<int>& descriptors();
  std::chrono::milliseconds patience(bus::LinkTime now, std::chrono::milliseconds most) const;

  std::optional<bus::Standing> standing_of(std::size_t member) const override;
  void stand(std::size_t member, const bus::Standing& mine) override;
  std::optional<std::string> quarrel() override;
  std::string trouble_with(std::size_t member) const override;
  void publish(std::size_t member, const bus::PublishRequest& request, LocalOutcome done) override;

 private:
  // DialOwner
  wire::Hello hello(const bus::ZmqDial&) override { return me_; }
  bus::Standing standing(const bus::ZmqDial& dial) override { return mine_[dial.index()]; }
  void on_linked(bus::ZmqDial&) override {}
  void on_lost(bus::ZmqDial& dial, const Error& why) override;
  void on_missed(bus::ZmqDial&, std::uint64_t) override {}
  bus::TurnResults& results(std::uint32_t) override { return results_; }
  void deliver(bus::ZmqDial&, std::uint32_t, bus::Alias, const Epoch&,
               const PublicationView&) override {}
  bool on_head(bus::ZmqDial&, std::uint32_t, const bus::HeadNotice&) override { return false; }
  bool on_presence_event(bus::ZmqDial&, std::uint32_t, bus::Alias) override { return false; }
  bus::ZmqQueries* queries() override { return nullptr; }

  const wire::Hello me_;
  const runtime::CurveConfig curve_;
  const Limits limits_;
  const runtime::Logger logger_;
  bus::ZmqBusProbe probe_;  ///< nobody's: these links are not a bus
  bus::ZmqContext context_;
  std::vector<std::unique_ptr<bus::ZmqDial>> dials_;  ///< by member; null: this broker itself
  std::vector<bus::Standing> mine_;                   ///< as each member is told
  std::vector<int> descriptors_;
  std::optional<std::string> quarrel_;
  bus::TurnResults results_;
  bus::RequestId next_ = 1;
  std::map<bus::RequestId, LocalOutcome> asked_;
};

}  // namespace peal::broker
