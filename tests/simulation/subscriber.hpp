#pragma once
// A client that follows channels: subscribes, keeps its positions, comes back with them to any
// gateway, repairs what it finds missing, and writes down what its application was told. The rules
// are those of gateway/web/client/src/channels.ts.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "journal.hpp"
#include "session.hpp"
#include "settings.hpp"
#include "track.hpp"

namespace peal::simulation {

class Subscriber final : private SessionOwner {
 public:
  Subscriber(Network& network, Machine& machine, const std::vector<Machine*>& gateways,
             const Settings& settings, std::uint64_t number, std::vector<std::uint64_t> channels,
             Journal& journal);

  void start() { session_.start(); }
  /// Stops wandering.
  void stay() { stays_ = true; }
  Session& session() { return session_; }

  struct Follow {
    explicit Follow(std::uint64_t its_channel) : channel(its_channel) {}
    const std::uint64_t channel;
    Track track{};
    enum class Wire : std::uint8_t { off, asked, on, leaving } wire = Wire::off;
    bool redo = false;   ///< it asks anew once it has left
    bool later = false;  ///< it asks when the timer fires
    int refusals = 0;
    std::uint64_t repaired_at = ~std::uint64_t{0};
  };
  const std::vector<Follow>& follows() const { return follows_; }
  std::uint64_t number() const { return number_; }
  /// What can't be, by the protocol.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  void on_connected() override;
  void on_lost() override;
  void on_push(const cli::JsonObject& push) override;

  void ask(Follow& follow);
  void asked(Follow& follow, const cli::JsonObject& reply);
  void take(Follow& follow, const cli::JsonObject& publication);
  void repair(Follow& follow);
  void refused(Follow& follow, const cli::JsonObject& error, bool redo);
  void leave_channel(Follow& follow);
  void wander();

  World& world_;
  const Settings& settings_;
  const std::uint64_t number_;
  Journal& journal_;
  Session session_;
  std::vector<Follow> follows_;
  std::vector<std::string> complaints_;
  bool stays_ = false;
};

}  // namespace peal::simulation
