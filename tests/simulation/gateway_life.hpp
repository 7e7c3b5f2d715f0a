#pragma once
// One life of a gateway's process: the product's ShardThread and ZmqThread, each on a strand in
// place of its thread, over the simulated sockets, with the HTTP faces of a real gateway.

#include <memory>
#include <vector>

#include "bus/zmq_thread.hpp"
#include "http/router.hpp"
#include "network.hpp"
#include "peal/runtime/probe.hpp"
#include "session/shard_thread.hpp"
#include "settings.hpp"

namespace peal::simulation {

class GatewayLife final : private bus::Bus {
 public:
  GatewayLife(Network& network, Machine& machine, const Settings& settings,
              const std::vector<std::string>& brokers);
  /// The process is dead; its lines have been killed before.
  ~GatewayLife() override;
  GatewayLife(const GatewayLife&) = delete;
  GatewayLife& operator=(const GatewayLife&) = delete;

  /// What must stay bounded, and isn't: empty when all is well.
  std::string overgrown();

 private:
  // bus::Bus, for the shard to attach to
  bus::BusPort& attach(bus::BusSink& sink, bus::Waker& waker) override;
  Result<void> start() override { return {}; }
  void stop() override {}
  bus::BusState state() const override { return {}; }
  void answer_with(bus::ClusterHandler handler) override {
    bus_shared_->queries.answer_with(std::move(handler));
  }
  void ask(const bus::ClusterQuery& query, bus::ClusterDone done) override {
    bus_shared_->queries.ask(query, std::move(done));
  }

  Duration shard_turn();
  Duration bus_turn();
  gateway::ShardConfig shard_config() const;

  Network& network_;
  Machine& machine_;
  const Settings& settings_;
  Strand shard_strand_;
  Strand bus_strand_;
  runtime::ProbeRegistry probes_;
  bus::ZmqBusProbe bus_probe_;
  std::unique_ptr<bus::ZmqShared> bus_shared_;
  std::unique_ptr<bus::ZmqPort> port_;
  std::unique_ptr<bus::ZmqThread> bus_thread_;
  gateway::ShardConfig config_;
  gateway::ShardShared shared_;
  std::unique_ptr<gateway::ShardThread> shard_;
  std::vector<LinePtr> accepted_;  ///< the shard takes them at its next turn
};

}  // namespace peal::simulation
