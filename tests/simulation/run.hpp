#pragma once
// One simulated run: machines with brokers, gateways and clients on them, trouble for a while, then
// everything heals and it is judged. All of it follows from the seed.

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "broker_life.hpp"
#include "gateway_life.hpp"
#include "journal.hpp"
#include "producer.hpp"
#include "sockets.hpp"
#include "subscriber.hpp"
#include "truth.hpp"

namespace peal::simulation {

struct Outcome {
  std::vector<std::string> faults;  ///< what must not be; empty: all is well
  std::string settings;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Duration simulated{};
  std::uint64_t publications = 0, deliveries = 0, told = 0, crashes = 0;
};

struct Order {
  std::uint64_t seed = 1;
  Plant plant = Plant::none;
  std::ostream* trace = nullptr;  ///< null: only hashed
};

class Run {
 public:
  explicit Run(const Order& order);
  Outcome outcome();

 private:
  friend class Judge;
  struct Broker {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Disk> disk;
    std::unique_ptr<BrokerLife> life;
  };
  struct Gateway {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<GatewayLife> life;
  };
  struct Client {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Subscriber> subscriber;
    std::unique_ptr<Producer> producer;
  };

  std::unique_ptr<Machine> make_machine(std::string name);
  void make_clients();
  void start_broker(std::size_t index);
  void start_gateway(std::size_t index);

  // Trouble.
  void trouble();
  void crash_broker();
  void crash_gateway();
  template <class Node, class Start>
  void crash(Node& node, Start start);
  void stand_still();
  void hold();
  void cut();
  void jump();
  std::pair<Machine*, Machine*> two_ends();

  void heal();
  void finish_producers();
  void watch_growth();
  bool settled();
  void settle();
  void calm();
  void fault(std::string what);

  const Order order_;
  World world_;
  const Settings settings_;
  Network network_;
  Sockets sockets_;
  Truth truth_;
  Journal journal_;
  std::uint32_t machines_ = 0;
  std::vector<Broker> brokers_;
  std::vector<Gateway> gateways_;
  std::vector<Machine*> gateway_machines_;
  std::vector<Client> clients_;
  bool healed_ = false;
  std::uint64_t crashes_ = 0, broker_crashes_ = 0;
  std::string unsettled_;
  std::vector<std::string> faults_;
};

}  // namespace peal::simulation
