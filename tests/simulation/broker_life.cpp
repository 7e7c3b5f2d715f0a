#include "broker_life.hpp"

namespace peal::simulation {
namespace {

using namespace std::chrono_literals;

constexpr int kMessagesPerTurn = 64;
constexpr auto kIdleMax = 100ms;

/// The same numbers for every life, as of a machine that has no chance of its own.
broker::EpochSource no_chance() {
  return [number = std::uint64_t{0}]() mutable { return ++number; };
}

}  // namespace

BrokerLife::BrokerLife(Network& network, Machine& machine, const Settings& settings, Disk& disk,
                       Truth& truth)
    : network_(network),
      machine_(machine),
      settings_(settings),
      strand_(machine, [this] { return turn(); }) {
  Limits limits = settings.limits;
  if (settings.plant == Plant::endless_lease) limits.presence_lease = 1h;
  const Strand::Here here(strand_);
  const wire::Hello me = hello();
  if (!me.members.empty()) {
    others_ =
        std::make_unique<broker::MemberLinks>(settings.members(), me, runtime::CurveConfig{},
                                              limits, runtime::Logger(), network.world().random());
  }
  broker::RouterConfig config{me,
                              {},
                              limits,
                              true,
                              store(disk, truth),
                              {machine.name, me.members, settings.store, limits.broker_settle},
                              others_.get()};
  broker::Transport& mine = *this;
  router_ = std::make_unique<broker::Router>(
      std::move(config), [&settings](std::string_view name) { return settings.options_of(name); },
      mine, epochs(), probe_, runtime::Logger());
  network_.listen(machine, [this](LinePtr line) { take(std::move(line)); });
  strand_.wake();
}

BrokerLife::~BrokerLife() {
  network_.deafen(machine_);
}

wire::Hello BrokerLife::hello() const {
  wire::Hello me =
      bus::make_hello("peal", machine_.name, network_.world().random(), settings_.limits);
  me.broker = true;
  me.store = settings_.store == StoreKind::disk ? "disk" : "memory";
  if (settings_.brokers < 2) return me;
  for (const bus::BrokerAddress& member : settings_.members())
    me.members.push_back(member.name);
  return me;
}

broker::EpochSource BrokerLife::epochs() const {
  if (settings_.plant == Plant::restart_in_the_old_epoch) return no_chance();
  return broker::EpochSource::ordered([this] { return machine_.calendar(); }, machine_.number,
                                      settings_.brokers);
}

broker::StoreChoice BrokerLife::store(Disk& disk, Truth& truth) {
  if (settings_.store == StoreKind::disk) {
    const auto turn_due = [this](Duration time) {
      store_due_ = machine_.clock() + time;
      strand_.wake();
    };
    return {make_disk_store(disk, machine_, truth, turn_due,
                            {settings_.plant == Plant::acknowledged_before_commit}),
            {},
            {}};
  }
  const auto in_memory = [](broker::StoreSeat seat) {
    return broker::make_memory_log_store(seat.sink, seat.options_of, seat.limits, seat.epochs);
  };
  const bool stale = settings_.plant == Plant::stale_owner_accepts;
  const EpochMistakes mistakes{
      .ends_none = stale,
      .outruns_none = stale || settings_.plant == Plant::restart_in_the_old_epoch,
      .goes_on_in_it = settings_.plant == Plant::takeover_without_a_new_epoch};
  return {witnessed(in_memory, truth, machine_, mistakes), {}, {}};
}

void BrokerLife::take(LinePtr line) {
  const broker::LinkKey key = "link-" + std::to_string(++lines_ever_);
  line->on_change(1, [this] { strand_.wake(); });
  links_.emplace(key, Link{std::move(line), Tamper(network_.world(), settings_.plant)});
}

bus::MessageSink::Sent BrokerLife::send(const broker::LinkKey& key, wire::Message& message) {
  using Sent = bus::MessageSink::Sent;
  const auto found = links_.find(key);
  if (found == links_.end()) return Sent::gone;
  auto& [line, tamper] = found->second;
  if (line->room(1) == 0) return Sent::full;
  tamper.to_peer(message);
  line->send(1, {std::move(message.header), std::move(message.body)});
  return Sent::ok;
}

bool BrokerLife::hear_links() {
  bool more = false;
  for (auto at = links_.begin(); at != links_.end();) {
    Line& line = *at->second.line;
    for (int i = 0; i < kMessagesPerTurn && line.readable(1); ++i) {
      Parcel parcel = line.take(1);
      wire::Message message{std::move(parcel.header), std::move(parcel.body)};
      at->second.tamper.to_broker(message);
      router_->on_message(at->first, message.header, message.body);
    }
    more = more || line.readable(1);
    if (line.ended(1) || line.reset(1)) {
      line.close(1);
      at = links_.erase(at);
    } else {
      ++at;
    }
  }
  return more;
}

Duration BrokerLife::turn() {
  const Time now = machine_.clock();
  bool more = false;
  router_->begin_turn(now);
  if (others_) {
    others_->begin_turn(now);
    more = others_->hear(now);
  }
  more = hear_links() || more;
  router_->end_turn();
  if (others_) others_->end_turn(now);
  if (more || router_->busy() || (others_ && others_->pending())) return Duration(0);
  Duration sleep = kIdleMax;
  if (others_) sleep = others_->patience(now, kIdleMax);
  if (store_due_ <= now) store_due_ = Time::max();
  return store_due_ == Time::max() ? sleep : std::min<Duration>(sleep, store_due_ - now);
}

std::string BrokerLife::overgrown() const {
  // What is charged while there is credit may overshoot it once, by a publication.
  const std::uint64_t most = settings_.limits.link_credit_bytes + 4096;
  std::string found;
  router_->each_link([&](const broker::Router::LinkInfo& link) {
    if (link.live_bytes > most)
      found = link.peer.node + " has " + std::to_string(link.live_bytes) + " bytes on the way";
  });
  return found;
}

}  // namespace peal::simulation
