#pragma once
// One life of a broker's process: the Router with its Core and its links to the other brokers on a
// strand, over the simulated network; a turn is BrokerLoop's. What it keeps over its lives is the
// machine's: its disk.

#include <map>
#include <memory>
#include <string>

#include "disk.hpp"
#include "network.hpp"
#include "server/member_links.hpp"
#include "server/router.hpp"
#include "settings.hpp"
#include "wire_tamper.hpp"

namespace peal::simulation {

class BrokerLife final : private broker::Transport {
 public:
  BrokerLife(Network& network, Machine& machine, const Settings& settings, Disk& disk,
             Truth& truth);
  ~BrokerLife() override;
  BrokerLife(const BrokerLife&) = delete;
  BrokerLife& operator=(const BrokerLife&) = delete;

  broker::Router& router() { return *router_; }
  /// Whether it serves the channel, as far as it knows.
  bool serves(std::string_view channel) const { return !router_->members().why_not(channel); }
  /// What must stay bounded, and isn't: empty when all is well.
  std::string overgrown() const;

 private:
  bus::MessageSink::Sent send(const broker::LinkKey& key, wire::Message& message) override;
  Duration turn();
  bool hear_links();
  wire::Hello hello() const;
  broker::EpochSource epochs() const;
  void take(LinePtr line);
  broker::StoreChoice store(Disk& disk, Truth& truth);

  Network& network_;
  Machine& machine_;
  const Settings& settings_;
  Strand strand_;
  broker::RouterProbe probe_;
  struct Link {
    LinePtr line;
    Tamper tamper;
  };
  std::unique_ptr<broker::MemberLinks> others_;  ///< null: there are none
  std::unique_ptr<broker::Router> router_;
  std::map<broker::LinkKey, Link> links_;
  std::uint64_t lines_ever_ = 0;
  Time store_due_ = Time::max();
};

}  // namespace peal::simulation
