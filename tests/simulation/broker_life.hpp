#pragma once
// One life of a broker's process: the Router with its Core on a strand, its links over the
// simulated network. What it keeps over its lives is the machine's: its disk.

#include <map>
#include <memory>
#include <string>

#include "disk.hpp"
#include "network.hpp"
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
  /// What must stay bounded, and isn't: empty when all is well.
  std::string overgrown() const;

 private:
  bus::MessageSink::Sent send(const broker::LinkKey& key, wire::Message& message) override;
  Duration turn();
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
  std::unique_ptr<broker::Router> router_;
  std::map<broker::LinkKey, Link> links_;
  std::uint64_t lines_ever_ = 0;
  Time store_due_ = Time::max();
};

}  // namespace peal::simulation
