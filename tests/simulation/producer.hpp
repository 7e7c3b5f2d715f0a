#pragma once
// A client that publishes numbered messages, with source and sequence: one in flight per channel,
// repeated under its sequence until it is surely published, whatever is lost meanwhile. Each
// attempt is told apart by the message's number, so that it can be seen which of them a log has
// taken.

#include <cstdint>
#include <string>
#include <vector>

#include "journal.hpp"
#include "session.hpp"
#include "settings.hpp"

namespace peal::simulation {

class Producer final : private SessionOwner {
 public:
  /// Numbers for the attempts to publish one message, and for a producer's channels.
  static constexpr std::uint64_t kAttempts = 1000, kLanes = 64;

  Producer(Network& network, Machine& machine, const std::vector<Machine*>& gateways,
           std::uint64_t number, std::uint64_t channels, Journal& journal);

  void start() { session_.start(); }
  /// What is in flight is still published, nothing new.
  void finish() { finishing_ = true; }
  void resume();
  /// Whether nothing is in flight.
  bool idle() const;
  Session& session() { return session_; }

 private:
  struct Lane {
    std::uint64_t channel = 0;
    std::uint64_t message = 0;  ///< 0: none yet
    std::uint64_t attempts = 0;
    bool settled = true;  ///< the message is surely published
    bool flying = false;
    Attempt attempt{};
  };

  void on_connected() override;
  void on_lost() override {}
  void on_push(const cli::JsonObject&) override {}
  void publish(Lane& lane);
  void answered(Lane& lane, const cli::JsonObject* reply);
  void next(Lane& lane);

  World& world_;
  const std::uint64_t number_;
  Journal& journal_;
  Session session_;
  std::vector<Lane> lanes_;
  Duration pace_;
  bool finishing_ = false;
};

}  // namespace peal::simulation
