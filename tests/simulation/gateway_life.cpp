#include "gateway_life.hpp"

#include "session/json_protocol.hpp"
#include "sockets.hpp"

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

/// As long as ZmqThread sleeps when nothing comes.
constexpr Duration kBusIdleMax = 100ms;

}  // namespace

GatewayLife::GatewayLife(Network& network, Machine& machine, const Settings& settings,
                         const std::vector<std::string>& brokers)
    : network_(network),
      machine_(machine),
      settings_(settings),
      shard_strand_(machine, [this] { return shard_turn(); }),
      bus_strand_(machine, [this] { return bus_turn(); }),
      config_(shard_config()) {
  World& world = network.world();
  {
    const Strand::Here here(bus_strand_);
    bus_shared_ = std::make_unique<bus::ZmqShared>();
    bus_shared_->clock = [this] { return machine_.clock(); };
    bus_shared_->random = [&world] { return world.random(); };
    bus_shared_->queue_bytes_max = settings.limits.link_credit_bytes;
  }
  {
    const Strand::Here here(shard_strand_);
    shared_.incarnation = static_cast<std::uint32_t>(world.random());
    shard_ = std::make_unique<gateway::ShardThread>(config_, 0, gateway::Fd(), shared_,
                                                    runtime::Logger(), probes_);
    bus::Bus& mine = *this;
    shard_->attach(mine);
    shard_->begin();
  }
  {
    const Strand::Here here(bus_strand_);
    bus::ZmqBusConfig config;
    config.connect = brokers;
    config.node = machine.name;
    bus_thread_ =
        std::make_unique<bus::ZmqThread>(config, settings.limits, runtime::Logger(), *bus_shared_,
                                         std::vector{port_.get()}, bus_probe_);
    bus_shared_->phase = bus::ZmqShared::Phase::running;
    bus_thread_->begin();
  }
  network_.listen(machine, [this](LinePtr line) {
    accepted_.push_back(std::move(line));
    shard_strand_.wake();
  });
  shard_strand_.wake();
  bus_strand_.wake();
}

GatewayLife::~GatewayLife() {
  network_.deafen(machine_);
  const Strand::Here here(shard_strand_);
  shard_->end();  // takes what the bus thread owns
  shard_.reset();
  bus_thread_.reset();
}

gateway::ShardConfig GatewayLife::shard_config() const {
  gateway::ShardConfig config;
  config.gateway_name = machine_.name;
  config.limits = settings_.limits;
  config.rules = gateway::ChannelRules::make(settings_.rules(), {}).value();
  config.clock = [this] { return machine_.clock(); };
  auto shared = std::make_shared<gateway::http::RouterShared>();
  shared->limits = settings_.limits;
  shared->protocols = {
      [](const Limits& limits) { return std::make_unique<gateway::JsonProtocol>(limits); }};
  shared->origins = gateway::OriginPolicy({{}, {}, "127.0.0.1:8420"});
  config.make_http = [this, shared](gateway::Shard&) {
    return std::make_unique<gateway::http::Router>(shared, runtime::Logger(),
                                                   const_cast<GatewayLife*>(this)->probes_);
  };
  return config;
}

bus::BusPort& GatewayLife::attach(bus::BusSink& sink, bus::Waker& waker) {
  port_ = std::make_unique<bus::ZmqPort>(*bus_shared_, 0, sink, waker);
  return *port_;
}

Duration GatewayLife::shard_turn() {
  Sockets& sockets = Sockets::current();
  for (LinePtr& line : std::exchange(accepted_, {}))
    shard_->add_connection(sockets.open({std::move(line), 1}));
  shard_->turn();
  return shard_->patience();
}

Duration GatewayLife::bus_turn() {
  bus_thread_->turn(machine_.clock());
  return bus_thread_->more() ? Duration(0) : kBusIdleMax;
}

std::string GatewayLife::overgrown() {
  const std::size_t queued = bus_shared_->queued_bytes.load();
  if (queued > settings_.limits.link_credit_bytes + 64 * 1024)
    return std::to_string(queued) + " bytes wait for the bus thread";
  return {};
}

}  // namespace peal::simulation
