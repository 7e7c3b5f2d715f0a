#include "run.hpp"

#include <algorithm>

#include "judge.hpp"

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kEventsMax = 20'000'000;
/// How long after everything has healed it may take until nobody is behind.
constexpr int kSettleSeconds = 60;
/// Longer than a lease and the quiet time of a broker that has started.
constexpr Duration kLeases = 15s;
constexpr Duration kCalm = 10s;
/// What was lost last shows by what comes after it.
constexpr Duration kPublishOn = 5s;

}  // namespace

Run::Run(const Order& order)
    : order_(order),
      world_(order.seed, order.trace),
      settings_(draw_settings(world_, order.plant)),
      network_(world_),
      sockets_(network_),
      truth_(world_),
      journal_(world_) {
  network_.delay_max = settings_.delay_max;
  world_.tell("seed", order.seed, settings_.describe());
  brokers_.resize(settings_.brokers);
  for (std::size_t i = 0; i < brokers_.size(); ++i) {
    brokers_[i].machine = make_machine(broker_name(i));
    brokers_[i].disk = std::make_unique<Disk>(settings_.limits);
    start_broker(i);
  }
  gateways_.resize(settings_.gateways);
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    gateways_[i].machine = make_machine("gateway-" + std::to_string(i));
    gateway_machines_.push_back(gateways_[i].machine.get());
    start_gateway(i);
  }
  make_clients();
}

std::unique_ptr<Machine> Run::make_machine(std::string name) {
  auto machine = std::make_unique<Machine>(world_, machines_++, std::move(name));
  sockets_.name(*machine);
  return machine;
}

void Run::make_clients() {
  clients_.resize(settings_.subscribers + settings_.producers);
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client& client = clients_[i];
    client.machine = make_machine("client-" + std::to_string(i));
    if (i < settings_.subscribers) {
      std::vector<std::uint64_t> channels;
      for (std::uint64_t c = 0; c < settings_.channels; ++c)
        if (world_.one_in(2)) channels.push_back(c);
      if (channels.empty()) channels.push_back(world_.below(settings_.channels));
      client.subscriber = std::make_unique<Subscriber>(network_, *client.machine, gateway_machines_,
                                                       settings_, i, std::move(channels), journal_);
    } else {
      client.producer = std::make_unique<Producer>(network_, *client.machine, gateway_machines_, i,
                                                   settings_.channels, journal_);
    }
    world_.after(world_.between(0ms, 3s), [&client] {
      client.subscriber ? client.subscriber->start() : client.producer->start();
    });
  }
}

void Run::start_broker(std::size_t index) {
  Broker& broker = brokers_[index];
  world_.tell(broker.machine->name, "starts");
  broker.machine->up = true;
  broker.machine->still_until = {};
  broker.life =
      std::make_unique<BrokerLife>(network_, *broker.machine, settings_, *broker.disk, truth_);
}

void Run::start_gateway(std::size_t index) {
  Gateway& gateway = gateways_[index];
  world_.tell(gateway.machine->name, "starts");
  gateway.machine->up = true;
  gateway.machine->still_until = {};
  std::vector<std::string> endpoints;
  for (const bus::BrokerAddress& broker : settings_.members())
    endpoints.push_back((settings_.brokers > 1 ? broker.name + "=" : "") + broker.endpoint);
  gateway.life = std::make_unique<GatewayLife>(network_, *gateway.machine, settings_, endpoints);
}

void Run::fault(std::string what) {
  world_.tell("FAULT:", what);
  faults_.push_back(std::move(what));
}

void Run::trouble() {
  if (healed_) return;
  switch (world_.below(8)) {
    case 0:
      crash_broker();
      break;
    case 1:
      crash_gateway();
      break;
    case 2:
    case 3:
      stand_still();
      break;
    case 4:
    case 5:
      hold();
      break;
    case 6:
      cut();
      break;
    default:
      if (world_.one_in(3)) jump();
  }
  world_.after(world_.between(300ms, 6s), [this] { trouble(); });
}

template <class Node, class Start>
void Run::crash(Node& node, Start start) {
  if (!node.life) return;
  ++crashes_;
  const bool silent = world_.one_in(3);
  world_.tell(node.machine->name, silent ? "loses its power" : "is killed");
  if (silent) node.machine->up = false;
  network_.kill_lines(*node.machine, silent);
  node.life.reset();
  world_.after(world_.between(100ms, 8s), [&node, start] {
    if (!node.life) start();
  });
}

void Run::crash_broker() {
  const std::size_t index = world_.below(brokers_.size());
  broker_crashes_ += brokers_[index].life ? 1 : 0;
  crash(brokers_[index], [this, index] { start_broker(index); });
}

void Run::crash_gateway() {
  const std::size_t index = world_.below(gateways_.size());
  crash(gateways_[index], [this, index] { start_gateway(index); });
}

void Run::stand_still() {
  const std::uint64_t which = world_.below(4);
  Machine& machine = which == 0   ? *brokers_[world_.below(brokers_.size())].machine
                     : which == 1 ? *clients_[world_.below(clients_.size())].machine
                                  : *gateways_[world_.below(gateways_.size())].machine;
  const Duration time = world_.one_in(2) ? world_.between(50ms, 2s) : world_.between(2s, 12s);
  world_.tell(machine.name, "stands still for", time.count());
  machine.still_until = world_.now() + time;
}

/// A gateway and a broker, two brokers, or a client and a gateway.
std::pair<Machine*, Machine*> Run::two_ends() {
  if (brokers_.size() > 1 && world_.one_in(3)) {
    const std::size_t one = world_.below(brokers_.size());
    const std::size_t other = (one + 1 + world_.below(brokers_.size() - 1)) % brokers_.size();
    return {brokers_[one].machine.get(), brokers_[other].machine.get()};
  }
  Machine* const gateway = gateway_machines_[world_.below(gateway_machines_.size())];
  Machine* const other = world_.one_in(3) ? clients_[world_.below(clients_.size())].machine.get()
                                          : brokers_[world_.below(brokers_.size())].machine.get();
  return world_.one_in(2) ? std::pair(gateway, other) : std::pair(other, gateway);
}

void Run::hold() {
  const auto [from, to] = two_ends();
  const bool both = world_.one_in(2);
  const Duration time = world_.one_in(2) ? world_.between(100ms, 3s) : world_.between(3s, 15s);
  world_.tell("nothing gets from", from->name, both ? "from and to" : "to", to->name);
  network_.hold(*from, *to);
  if (both) network_.hold(*to, *from);
  world_.after(time, [this, from = from, to = to] {
    network_.release(*from, *to);
    network_.release(*to, *from);
  });
}

void Run::cut() {
  const auto [from, to] = two_ends();
  world_.tell("lines are cut between", from->name, to->name);
  network_.cut(*from, *to);
}

void Run::jump() {
  if (world_.one_in(3)) {
    Machine& machine = *brokers_[world_.below(brokers_.size())].machine;
    machine.calendar_ahead = world_.between(-1h, 1h);
    world_.tell("the calendar of", machine.name, "is off by", machine.calendar_ahead.count());
    return;
  }
  Machine& machine = world_.one_in(2) ? *brokers_[world_.below(brokers_.size())].machine
                                      : *gateways_[world_.below(gateways_.size())].machine;
  const Duration by = world_.one_in(3) ? world_.between(1min, 1h) : world_.between(100ms, 10s);
  world_.tell("the clock of", machine.name, "jumps by", by.count());
  machine.ahead += by;
}

void Run::heal() {
  world_.tell("everything heals");
  healed_ = true;
  network_.release_all();
  for (std::size_t i = 0; i < brokers_.size(); ++i) {
    brokers_[i].machine->still_until = {};
    if (!brokers_[i].life) start_broker(i);
  }
  for (std::size_t i = 0; i < gateways_.size(); ++i) {
    gateways_[i].machine->still_until = {};
    if (!gateways_[i].life) start_gateway(i);
  }
  for (Client& client : clients_) {
    client.machine->still_until = {};
    if (client.subscriber) client.subscriber->stay();
  }
  world_.run_until(world_.now() + kPublishOn);
  finish_producers();
}

void Run::finish_producers() {
  for (Client& client : clients_)
    if (client.producer) client.producer->finish();
}

void Run::watch_growth() {
  for (const Broker& broker : brokers_)
    if (const auto grown = broker.life ? broker.life->overgrown() : ""; !grown.empty())
      fault(broker.machine->name + ": " + grown);
  for (const Gateway& gateway : gateways_)
    if (const auto grown = gateway.life ? gateway.life->overgrown() : ""; !grown.empty())
      fault(gateway.machine->name + ": " + grown);
  world_.after(1s, [this] { watch_growth(); });
}

bool Run::settled() {
  unsettled_.clear();
  for (const Client& client : clients_) {
    if (client.producer && !client.producer->idle())
      unsettled_ = client.machine->name + " has no outcome";
    if (!client.subscriber) continue;
    if (!client.subscriber->session().connected())
      unsettled_ = client.machine->name + " is not connected";
    for (const Subscriber::Follow& follow : client.subscriber->follows()) {
      const std::string channel = channel_name(follow.channel);
      if (follow.wire != Subscriber::Follow::Wire::on || follow.redo) {
        unsettled_ = client.machine->name + " is not subscribed to " + channel;
        continue;
      }
      const Position now = Judge::current(*this, channel);
      if (follow.track.epoch() != now.epoch.view() || follow.track.offset() != now.offset.value)
        unsettled_ = client.machine->name + " is at " + follow.track.epoch() + "-" +
                     std::to_string(follow.track.offset()) + " of " + channel + ", which is at " +
                     now.to_string();
    }
  }
  return unsettled_.empty();
}

void Run::settle() {
  for (int second = 0; second < kSettleSeconds; ++second) {
    world_.run_until(world_.now() + 1s);
    if (settled()) return;
  }
  fault("not settled: " + unsettled_);
}

/// Nothing is wrong any more: now everything must be answered, and no link be lost.
void Run::calm() {
  world_.tell("calm");
  const auto session = [](Client& client) -> Session& {
    return client.subscriber ? client.subscriber->session() : client.producer->session();
  };
  for (Client& client : clients_) {
    session(client).expect_calm();
    if (client.producer) client.producer->resume();
  }
  world_.run_until(world_.now() + kCalm);
  finish_producers();
  settle();
  world_.run_until(world_.now() + kLeases);
  if (!settled()) fault("it did not stay settled: " + unsettled_);
  for (Client& client : clients_)
    if (const std::uint64_t lost = session(client).lost_in_calm(); lost > 0)
      fault(client.machine->name + " lost its link " + std::to_string(lost) + " times in calm");
}

Outcome Run::outcome() {
  world_.after(3s, [this] { trouble(); });
  watch_growth();
  const Time end = world_.now() + settings_.trouble;
  while (world_.now() < end && world_.events() < kEventsMax)
    world_.run_until(world_.now() + 1s);
  heal();
  settle();
  if (faults_.empty()) calm();
  if (world_.events() >= kEventsMax) fault("it turns without end");
  Judge(*this).judge();
  Outcome outcome;
  outcome.faults = faults_;
  outcome.settings = settings_.describe();
  outcome.hash = world_.hash();
  outcome.events = world_.events();
  outcome.simulated = world_.age();
  outcome.publications = truth_.all().size();
  outcome.deliveries = journal_.deliveries();
  outcome.told = journal_.told();
  outcome.crashes = crashes_;
  clients_.clear();
  for (const Gateway& gateway : gateways_)
    network_.kill_lines(*gateway.machine, true);
  gateways_.clear();
  brokers_.clear();
  return outcome;
}

}  // namespace peal::simulation
