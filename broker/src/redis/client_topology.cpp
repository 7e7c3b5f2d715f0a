// The client's masters: who they are, the links to them, and what is said of that in the log.
#include <algorithm>
#include <random>
#include <utility>

#include "redis/backoff.hpp"
#include "redis/client_impl.hpp"

namespace peal::redis {
namespace {

using runtime::LogLevel;
constexpr std::chrono::milliseconds kAgain{100};
constexpr std::size_t kReasonsMax = 8;

std::vector<Endpoint> endpoints_of(const Config& config, const Topology& topology) {
  std::vector<Endpoint> all;
  if (config.mode == "cluster") {
    for (const auto& master : topology.masters)
      all.push_back(master.endpoint);
  }
  for (const std::string& text : config.addresses) {
    auto endpoint = Endpoint::parse(text);
    if (endpoint.has_value()) all.push_back(std::move(*endpoint));
  }
  std::minstd_rand random{std::random_device{}()};
  std::ranges::shuffle(all, random);
  return all;
}

}  // namespace

void Client::Impl::start() {
  running = true;
  if (config.tls) {
    auto made = TlsContext::make(config);
    if (made.has_error()) {  // complete() doesn't open these files
      last_reason = made.error().message;
      logger.error("can't use TLS to Redis", {{"reason", last_reason}});
      return;
    }
    tls = std::move(*made);
  }
  discover();
  if (config.mode != "single") refresh_in_time();
  if (config.mode == "sentinel") {
    sentinel_watch =
        std::make_shared<SentinelWatch>(context, config, tls, endpoints_of(config, topology),
                                        [this](const Endpoint& sentinel) { on_switch(sentinel); });
    sentinel_watch->start();
  }
}

/// The other Sentinels may learn of it later, and still name the old master.
void Client::Impl::on_switch(const Endpoint& sentinel) {
  ask_only = {sentinel};
  discover();
}

void Client::Impl::stop() {
  if (!std::exchange(running, false)) return;
  if (inquiry) std::exchange(inquiry, nullptr)->cancel();
  if (sentinel_watch) std::exchange(sentinel_watch, nullptr)->stop();
  const std::string reason = "the Redis client has stopped";
  std::ranges::fill(homes, nullptr);
  for (const auto& [key, link] : std::exchange(links, {}))
    link->retire(reason);
  const auto held = lanes.take_expired([](Lanes::Id) { return true; });
  for (const Lanes::Id id : held) {
    refuse_later(std::move(items.at(id).done), items.at(id).bytes, reason);
    items.erase(id);
  }
}

void Client::Impl::refresh_in_time() {
  later(jittered(config.topology_interval), [this] {
    discover();
    refresh_in_time();
  });
}

void Client::Impl::discover() {
  if (config.mode == "single") {
    auto endpoint = Endpoint::parse(config.addresses.front());
    if (endpoint.has_value()) adopt(Topology::of_one(std::move(*endpoint), 0));
    return;
  }
  if (inquiry || discovery_pausing) {
    discovery_wanted = true;
    return;
  }
  ask_who_serves();
}

/// However often it is wanted, nobody is asked more than once in a while.
void Client::Impl::discover_later(std::chrono::milliseconds pause) {
  discovery_pausing = true;
  later(pause, [this] {
    discovery_pausing = false;
    if (std::exchange(discovery_wanted, false)) ask_who_serves();
  });
}

void Client::Impl::ask_who_serves() {
  using Questions = std::vector<std::vector<std::string>>;
  const bool sentinel = config.mode == "sentinel";
  auto endpoints = std::exchange(ask_only, {});
  if (endpoints.empty()) endpoints = endpoints_of(config, topology);
  inquiry = std::make_shared<Inquiry>(
      context, config, tls,
      Inquiry::Plan{.kind = sentinel ? Greeting::Kind::sentinel : Greeting::Kind::node,
                    .endpoints = std::move(endpoints),
                    .questions = sentinel ? Questions{{"SENTINEL", "MASTER", config.master_name},
                                                      {"SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                                       config.master_name}}
                                          : Questions{{"CLUSTER", "NODES"}},
                    .judge = [this](const std::vector<Reply>& replies,
                                    const Endpoint& asked) { return judge(replies, asked); },
                    .done = [this](const std::string& error) { on_discovered(error); }});
  inquiry->start();
}

std::string Client::Impl::judge(const std::vector<Reply>& replies, const Endpoint& asked) {
  auto view = cluster ? Topology::from_cluster_nodes(replies.at(0).text, asked.address.host)
                      : Topology::from_sentinel(replies.at(0), replies.at(1));
  if (view.has_error()) return view.error().message;
  if (view->epoch() < topology.epoch()) {
    return "it knows an older state (config epoch " + std::to_string(view->epoch()) + ", seen " +
           std::to_string(topology.epoch()) + ")";
  }
  found = std::move(*view);
  return {};
}

void Client::Impl::on_discovered(const std::string& error) {
  inquiry = nullptr;
  discovery_trouble = error;
  if (error.empty()) {
    discovery_failures = 0;
    reasons_told.clear();
    discover_later(jittered(kAgain));
    return adopt(std::move(found));
  }
  discovery_wanted = true;
  discover_later(backoff(config, discovery_failures++));
  last_reason =
      (cluster ? "no node says who serves what: " : "no Sentinel names a master: ") + error;
  if (reasons_told.size() < kReasonsMax && reasons_told.insert(error).second) {
    logger.warn(cluster ? "no Redis node says who serves what" : "no Sentinel names the master",
                {{"master_name", cluster ? std::string() : config.master_name}, {"reason", error}});
  }
}

Link& Client::Impl::link_for(const Topology::Master& master, std::vector<Node>& changed) {
  const std::string key = master.id + " " + master.endpoint.to_string();
  auto& link = links[key];
  if (!link) {
    link = std::make_shared<Link>(context, config, tls, *this, next_link++, master.id,
                                  master.endpoint, master.config_epoch);
  } else if (link->node().mastership.config_epoch != master.config_epoch) {
    link->set_config_epoch(master.config_epoch);
    if (link->up()) changed.push_back(link->node());
  }
  return *link;
}

void Client::Impl::adopt(Topology adopted) {
  topology = std::move(adopted);
  auto before = std::exchange(links, {});
  std::vector<Link*> by_master;
  std::vector<Node> changed;
  for (const Topology::Master& master : topology.masters) {
    const std::string key = master.id + " " + master.endpoint.to_string();
    if (const auto old = before.find(key); old != before.end()) {
      links.insert(before.extract(old));
    }
    by_master.push_back(&link_for(master, changed));
  }
  for (std::size_t slot = 0; slot < homes.size(); ++slot) {
    const std::uint16_t index = topology.owners[slot];
    homes[slot] = index == Topology::kNobody ? nullptr : by_master[index];
  }
  for (const auto& [key, link] : before) {
    const bool up = link->up();
    if (!link->probe().empty()) subscriptions.unsubscribe(link->probe());
    link->retire("it is no master any more");
    subscriptions.on_deaf(link->id());
    if (up) on_down(*link, "it is no master any more");
  }
  for (const auto& [key, link] : links) {
    if (link->listening()) choose_probe(*link);
    if (link->idle() && link->due) link->connect();
  }
  subscriptions.rehome();
  for (const Node& node : changed) {
    if (running) owner->on_connected(node);
  }
}

/// Any channel of a slot that the link's master serves; the one it has, while it is such.
void Client::Impl::choose_probe(Link& link) {
  if (!link.probe().empty() && home(slot_of(link.probe())) == &link) return;
  if (!link.probe().empty()) subscriptions.unsubscribe(link.probe());
  std::string channel;
  if (std::ranges::find(homes, &link) != homes.end()) {
    std::size_t number = 0;
    do {
      channel = config.prefix + "probe:" + tag + ":" + std::to_string(link.id()) + ":{" +
                std::to_string(number++) + "}";
    } while (home(slot_of(channel)) != &link);
  }
  link.set_probe(channel);
  if (!channel.empty()) subscriptions.subscribe(channel);
}

std::vector<std::vector<std::string>> Client::Impl::setup(const Link& link) {
  return owner->setup(link.node());
}

std::string Client::Impl::judge_setup(const Link& link, const std::vector<Reply>& replies) {
  return owner->judge_setup(link.node(), replies);
}

void Client::Impl::on_up(Link& link) {
  probe.connected();
  const Node& node = link.node();
  logger.info("connected to Redis", {{"address", node.address},
                                     {"user", config.user.empty() ? "default" : config.user},
                                     {"run_id", node.mastership.run_id},
                                     {"config_epoch", node.mastership.config_epoch}});
  owner->on_connected(node);
}

void Client::Impl::on_down(Link& link, const std::string& reason) {
  last_reason = reason;
  // A link that was up has told nothing yet of this time.
  const bool lost = link.failures == 0 && link.was_up;
  if (lost) {
    link.was_up = false;
    probe.disconnected();
    tell(LogLevel::warn, "lost Redis", link, reason);
    link.reasons_told.insert(reason);
    owner->on_disconnected(link.node(), reason);
  } else if (link.reasons_told.size() < kReasonsMax && link.reasons_told.insert(reason).second) {
    tell(LogLevel::warn, "can't use Redis", link, reason);
  }
  if (!running) return;
  link.due = false;
  later(backoff(config, link.failures++), [this, weak = link.weak_from_this()] {
    const auto again = weak.lock();
    if (!again) return;
    again->due = true;
    discover();
  });
}

void Client::Impl::on_listening(Link& link) {
  choose_probe(link);
  subscriptions.rehome();
}

void Client::Impl::on_deaf(Link& link, const std::string& reason) {
  probe.went_deaf();
  last_reason = reason;
  if (link.up() && link.reasons_told.size() < kReasonsMax &&
      link.reasons_told.insert(reason).second) {
    tell(LogLevel::warn, "can't listen to Redis", link, reason);
  }
  if (!link.probe().empty()) subscriptions.unsubscribe(link.probe());
  link.set_probe({});
  subscriptions.on_deaf(link.id());
}

void Client::Impl::on_push(Link& link, Reply reply) {
  const auto keep = link.shared_from_this();  // the owner may stop the client
  const Verdict verdict = subscriptions.on_push(link.id(), reply, link.endpoint().address.host);
  switch (verdict.kind) {
    case Verdict::Kind::replied:
      return;
    case Verdict::Kind::moved:
    case Verdict::Kind::ask:
    case Verdict::Kind::again:
      if (Link* to = link_at(verdict.endpoint)) homes[verdict.slot] = to;
      discover();
      return later(jittered(kAgain), [this] { subscriptions.rehome(); });
    default:
      link.stop_listening(reply.is_error() ? explain(reply, config.user)
                                           : "it said something unasked");
  }
}

void Client::Impl::on_turn() {
  if (owner != nullptr) owner->on_turn();
}

std::string Client::Impl::trouble() const {
  std::size_t unreachable = 0;
  for (const Link* link : homes) {
    if (link == nullptr || !link->up() || !link->listening()) ++unreachable;
  }
  if (unreachable == 0) return {};
  if (!cluster) return why_not(home(0));
  return std::to_string(unreachable) + " of 16384 slots can't be reached: " + last_reason;
}

void Client::Impl::tell(LogLevel level, std::string_view message, const Link& link,
                        std::string_view reason) const {
  logger.log(level, message,
             {{"address", link.node().address},
              {"user", config.user.empty() ? "default" : config.user},
              {"reason", reason}});
}

}  // namespace peal::redis
