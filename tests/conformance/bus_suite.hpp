#pragma once
// What every Bus driver has to do, written once. A driver's test file instantiates BusSuite (and,
// when it has links that can be cut, LinkedBusSuite) with a factory:
//
//   INSTANTIATE_TEST_SUITE_P(Zmq, BusSuite, testing::Values(BusDriverParam{"zmq", make_driver}),
//                            driver_name);
//
// Nodes are shards: each has its own thread and port. Whether they sit on one bus or on several
// that meet at a broker is the driver's business. Channels that begin with "log:" are recoverable,
// "log:compact" keep the last of each key, "log:full" refuse a third publication, "room:" keep
// presence and occupancy.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bus_node.hpp"
#include "peal/broker/channel_options.hpp"
#include "peal/proto/limits.hpp"

namespace peal::bus::test {

class BusDriver {
 public:
  virtual ~BusDriver() = default;
  /// Attaches every node's sink and waker, starts the bus, then the nodes.
  virtual void attach(std::span<const std::unique_ptr<BusNode>> nodes) = 0;
  /// Bus::stop of all buses; nodes still turn.
  virtual void stop() = 0;
  /// What a process has one of.
  virtual std::size_t buses() const = 0;
  virtual Bus& bus(std::size_t i) = 0;

  /// A channel whose core does not run on that node's thread: a test that stalls the node may use
  /// it.
  virtual std::string channel_away_from(std::size_t, std::string prefix) { return prefix; }

  // Only of drivers that instantiate LinkedBusSuite:
  /// The link is lost in a way that both ends can notice at once. What the cores held may be lost
  /// too.
  virtual void cut() { ADD_FAILURE() << "this driver has no link"; }
  /// After cut or freeze: the link can be made again.
  virtual void heal() { ADD_FAILURE() << "this driver has no link"; }
  /// The link goes silent: nothing arrives any more, nothing is closed.
  virtual void freeze() { ADD_FAILURE() << "this driver has no link"; }
  /// After a silence another broker may have served meanwhile: what was told may not be all.
  virtual bool others_take_over() const { return false; }
};

struct BusDriverOptions {
  Limits limits;
  broker::OptionsOf options_of;
  /// How the bus of that number answers what the cluster is asked; none: it doesn't.
  std::function<ClusterHandler(std::size_t bus)> handler_of{};
};

struct BusDriverParam {
  const char* name;
  std::function<std::unique_ptr<BusDriver>(const BusDriverOptions&)> make;
  friend void PrintTo(const BusDriverParam& param, std::ostream* out) { *out << param.name; }
};

inline std::string driver_name(const testing::TestParamInfo<BusDriverParam>& tested) {
  return tested.param.name;
}

class BusSuite : public testing::TestWithParam<BusDriverParam> {
 protected:
  ~BusSuite() override;

  /// Starts that many nodes and waits until each is linked.
  void start(std::size_t nodes, const Limits& limits = {});
  /// The same with sinks of the test's own.
  void start(std::vector<std::unique_ptr<BusNode>> nodes, const Limits& limits = {});

  BusNode& node(std::size_t i) { return *nodes_[i]; }
  std::size_t size() const { return nodes_.size(); }
  BusDriver& driver() { return *driver_; }
  /// Before `start`.
  void answer_with(std::function<ClusterHandler(std::size_t bus)> handler_of) {
    handler_of_ = std::move(handler_of);
  }

  /// Watches and waits for the answer.
  void watch_and_wait(std::size_t i, Alias alias, std::string_view channel);
  /// Publishes and waits for the outcome.
  Published publish_and_wait(std::size_t i, PublishRequest request);
  Published publish_and_wait(std::size_t i, std::string_view channel, std::string_view payload);
  /// Reads and waits for the page; its publications are copied to `publications`.
  Page read_and_wait(std::size_t i, ReadRequest request, std::vector<Publication>& publications);
  /// Payloads heard under an alias, in order.
  std::vector<std::string> payloads(std::size_t i, Alias alias);

 private:
  std::unique_ptr<BusDriver> driver_;
  std::vector<std::unique_ptr<BusNode>> nodes_;
  std::function<ClusterHandler(std::size_t)> handler_of_;
  RequestId next_id_ = 1'000'000;
};

/// What processes know of each other beside publications: who is there, who answers. For drivers
/// whose buses share that.
class SharedBusSuite : public BusSuite {};

class LinkedBusSuite : public BusSuite {
 protected:
  bool wait_for_link(std::size_t i, bool linked,
                     std::chrono::milliseconds patience = BusNode::kPatience);
};

}  // namespace peal::bus::test
