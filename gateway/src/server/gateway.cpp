#include "peal/gateway/gateway.hpp"

#include <algorithm>
#include <future>
#include <ranges>
#include <thread>

#include "http/router.hpp"
#include "http/static_files.hpp"
#include "io/transport.hpp"
#include "peal/bus/embedded_bus.hpp"
#include "peal/proto/channel_name.hpp"
#include "peal/proto/json.hpp"
#include "server/limits_json.hpp"
#include "session/client_addresses.hpp"
#include "session/json_protocol.hpp"
#include "session/shard.hpp"

namespace peal::gateway {
namespace {

constexpr std::chrono::milliseconds kTickAgeMax{2'000};

Result<std::shared_ptr<TlsContext>> make_tls(const GatewayConfig& config) {
  if (config.tls_certificate.empty() && config.tls_key.empty()) return nullptr;
  if (config.tls_certificate.empty() || config.tls_key.empty()) {
    return fail(ErrorCode::config_invalid, "tls.certificate and tls.key go together");
  }
  return TlsContext::make(config.tls_certificate, config.tls_key);
}

Result<std::shared_ptr<ChannelRules>> make_rules(const GatewayConfig& config) {
  const auto names = std::views::keys(config.keys);
  return ChannelRules::make(config.channels, {names.begin(), names.end()});
}

/// What the rules say of a channel's log.
broker::OptionsOf options_of(std::shared_ptr<const ChannelRules> rules) {
  return [rules = std::move(rules)](std::string_view channel) {
    const ChannelRule* rule = rules->find(channel);
    return rule == nullptr ? broker::ChannelOptions() : broker::options_of_rule(*rule);
  };
}

/// Null: logs are in memory, or the brokers'.
Result<std::unique_ptr<broker::DiskStorage>> open_storage(GatewayConfig& config,
                                                          const runtime::Logger& logger,
                                                          runtime::ProbeRegistry& probes) {
  if (auto good = broker::complete(config.store, config.name); !good) return good.error();
  if (config.zmq || config.redis || config.store.driver != "disk") return nullptr;
  return broker::DiskStorage::open(config.store, config.limits, logger, probes);
}

Result<std::unique_ptr<bus::Bus>> make_bus(const GatewayConfig& config,
                                           std::shared_ptr<const ChannelRules> rules,
                                           const runtime::Logger& logger,
                                           runtime::ProbeRegistry& probes,
                                           broker::MakeLogStore make_store,
                                           broker::RedisStorage* redis) {
  if (config.zmq) return bus::make_zmq_bus(*config.zmq, config.limits, logger.with("bus"), probes);
  bus::MeetingPlace meeting;
  if (redis != nullptr) {
    meeting = {broker::place_of(*config.redis), redis->relay(config.name, config.limits)};
  }
  return bus::make_embedded_bus(config.shards, options_of(std::move(rules)), config.limits, probes,
                                std::move(make_store), std::move(meeting));
}

/// Why the application's publication can't be taken; the same limits as a client's.
std::optional<Error> check(const PublishOrder& order, const Limits& limits) {
  const Publication& publication = order.publication;
  if (!ChannelName::valid(order.channel)) return ChannelName::parse(order.channel).error();
  if (publication.payload.size() > limits.message_bytes_max) {
    return fail(ErrorCode::message_too_large,
                "the message is larger than limits.message_bytes_max (" +
                    std::to_string(limits.message_bytes_max) + ")");
  }
  const bool json = publication.type.empty();
  if (!json || (publication.kind == Kind::deletion && publication.payload.empty())) return {};
  thread_local JsonReader reader;
  auto valid = reader.validate(publication.payload, limits.json_depth_max);
  if (valid.has_error()) return valid.error();
  return std::nullopt;
}

/// Waits until every shard has heard that the embedded bus is linked, so that what is published
/// right after start is taken. It takes a turn of each shard.
void wait_until_linked(ShardSet& shards) {
  for (std::size_t i = 0; i < shards.size(); ++i) {
    Shard& shard = shards.shard(i);
    const auto linked = std::make_shared<std::promise<void>>();
    const auto look = std::make_shared<std::function<void()>>();
    *look = [&shard, linked, weak = std::weak_ptr(look)] {
      if (shard.engine().bus_state().linked) return linked->set_value();
      if (const auto again = weak.lock()) shard.post([again] { (*again)(); });
    };
    if (shard.post([look] { (*look)(); })) linked->get_future().wait_for(kTickAgeMax);
  }
}

bus::Published refused(Error error) {
  bus::Published outcome;
  outcome.status = bus::Published::Status::refused;
  outcome.error = std::move(error);
  return outcome;
}

}  // namespace

struct Gateway::Impl {
  GatewayConfig config;
  runtime::Logger logger;
  std::unique_ptr<runtime::ProbeRegistry> own_probes;
  runtime::ProbeRegistry* probes = nullptr;
  // The bus's cores have their stores in the storage, and the ports that the shards hold belong to
  // the bus: they go in this order, last first.
  std::unique_ptr<broker::DiskStorage> storage;
  std::unique_ptr<broker::RedisStorage> redis;

  broker::MakeLogStore maker() const {
    if (redis) return redis->maker();
    return storage ? storage->maker() : broker::MakeLogStore();
  }
  std::unique_ptr<bus::Bus> bus;
  std::shared_ptr<ChannelRules> rules;
  std::shared_ptr<Authenticator> authenticator;
  std::unique_ptr<ShardSet> shards;
  bool stopped = false;

  void stop() {
    if (std::exchange(stopped, true)) return;
    // The shards' last turns report what has become of publishes that the bus did not answer.
    bus->stop();
    shards->stop();
  }
};

Gateway::Gateway(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gateway::~Gateway() {
  impl_->stop();
}

Result<std::unique_ptr<Gateway>> Gateway::make(GatewayConfig config, runtime::Logger logger,
                                               runtime::ProbeRegistry* probes) {
  if (config.shards == 0) config.shards = std::max(1U, std::thread::hardware_concurrency());
  auto rules = make_rules(config);
  if (rules.has_error()) return rules.error();
  OriginPolicy::Config origins{config.allowed_origins, config.allowed_hosts, config.listen};
  if (auto error = OriginPolicy::validate(origins)) return *error;
  auto proxies = ProxyTrust::make(config.trusted_proxies, config.proxy_header);
  if (proxies.has_error()) return proxies.error();
  auto tls = make_tls(config);
  if (tls.has_error()) return tls.error();

  auto shared = std::make_shared<http::RouterShared>();
  shared->limits = config.limits;
  shared->origins = OriginPolicy(std::move(origins));
  shared->authenticator = std::make_shared<Authenticator>(config.keys);
  shared->protocols.push_back(
      [](const Limits& limits) { return std::make_unique<JsonProtocol>(limits); });
  if (!config.web_root.empty()) {
    auto files = http::StaticFiles::load(config.web_root);
    if (files.has_error()) return files.error();
    shared->files = std::move(*files);
  }

  auto impl = std::make_unique<Impl>();
  if (probes == nullptr) {
    impl->own_probes = std::make_unique<runtime::ProbeRegistry>();
    probes = impl->own_probes.get();
  }
  impl->probes = probes;
  auto storage = open_storage(config, logger, *probes);
  if (storage.has_error()) return storage.error();
  impl->storage = std::move(*storage);
  if (config.redis) impl->redis = broker::RedisStorage::open(*config.redis, logger, *probes);
  auto bus = make_bus(config, *rules, logger, *probes, impl->maker(), impl->redis.get());
  if (bus.has_error()) return bus.error();
  impl->bus = std::move(*bus);

  ShardConfig shard;
  shard.listen = config.listen;
  shard.shards = config.shards;
  shard.gateway_name = config.name;
  shard.limits = config.limits;
  shard.limits_json = limits_json(config.limits);
  shard.flush_delay = config.flush_delay;
  shard.drain_share_max = config.drain_share_max;
  shard.rules = *rules;
  impl->rules = std::move(*rules);
  impl->authenticator = shared->authenticator;
  shard.tls = std::move(*tls);
  shard.proxies = std::move(*proxies);
  shard.hooks = config.hooks;
  shard.authenticate = [shared](const Principal& now, std::string_view token) {
    return shared->authenticator->authenticate(now, token);
  };
  shard.make_http = [shared, probes](Shard& of) -> std::unique_ptr<HttpService> {
    return std::make_unique<http::Router>(shared, of.logger().with("http"), *probes);
  };
  impl->shards = make_shard_set(std::move(shard), logger.with("gateway"), *probes);
  impl->bus->answer_with(
      [shards = impl->shards.get()](const bus::ClusterQuery& query, bus::ClusterDone done) {
        shards->answer(query, std::move(done));
      });
  impl->config = std::move(config);
  impl->logger = std::move(logger);
  return std::unique_ptr<Gateway>(new Gateway(std::move(impl)));
}

Result<void> Gateway::start() {
  if (auto bound = impl_->shards->start(*impl_->bus); bound.has_error()) return bound;
  if (auto started = impl_->bus->start(); started.has_error()) return started;
  if (!impl_->config.zmq) wait_until_linked(*impl_->shards);
  impl_->logger.info("listening", {{"address", address()},
                                   {"shards", impl_->shards->size()},
                                   {"tls", !impl_->config.tls_certificate.empty()}});
  return {};
}

std::string Gateway::address() const {
  return impl_->shards->address();
}

void Gateway::publish(std::string channel, std::string json, PublishDone then) {
  PublishOrder order{.channel = std::move(channel)};
  order.publication.payload = std::move(json);
  publish(std::move(order), std::move(then));
}

void Gateway::publish(PublishOrder order, PublishDone then) {
  if (!then) then = [](const bus::Published&) {};
  if (auto error = check(order, impl_->config.limits)) return then(refused(std::move(*error)));
  // The same shard for a channel each time, so that one thread's publishes stay in order.
  Shard& shard = impl_->shards->shard(stable_hash(order.channel) % impl_->shards->size());
  auto waiting =
      std::make_shared<std::pair<PublishOrder, PublishDone>>(std::move(order), std::move(then));
  const bool posted = shard.post([waiting, &shard] {
    const PublishOrder& asked = waiting->first;
    bus::PublishRequest request;
    request.channel = asked.channel;
    request.publication = view_of(asked.publication);
    request.expect = asked.expect;
    request.previous = asked.previous;
    request.idempotency_key = asked.idempotency_key;
    request.expect_value = asked.expect_value;
    request.expect_end = asked.expect_end;
    request.replace = asked.replace;
    request.place = asked.place;
    request.place_floor = asked.place_floor;
    shard.engine().publish_trusted(request, std::move(waiting->second));
  });
  if (!posted) waiting->second(refused(fail(ErrorCode::draining, "the gateway has stopped")));
}

void Gateway::read(const bus::ReadRequest& request, std::function<void(const bus::Page&)> then) {
  const auto refuse = [&then](Error error) {
    bus::Page page;
    page.error = std::move(error);
    then(page);
  };
  if (!ChannelName::valid(request.channel))
    return refuse(ChannelName::parse(request.channel).error());
  Shard& shard = impl_->shards->shard(stable_hash(request.channel) % impl_->shards->size());
  const bool posted =
      shard.post([&shard, asked = request, channel = std::string(request.channel), then]() mutable {
        asked.channel = channel;
        shard.engine().read_trusted(asked, std::move(then));
      });
  if (!posted) refuse(fail(ErrorCode::draining, "the gateway has stopped"));
}

void Gateway::sessions(std::string after, std::size_t limit,
                       std::function<void(SessionPage)> then) {
  impl_->shards->sessions(std::move(after), limit, std::move(then));
}

void Gateway::disconnect(std::string session_id, CloseCode code, std::string reason,
                         std::function<void(bool)> then) {
  if (!then) then = [](bool) {};
  impl_->shards->disconnect(std::move(session_id), code, std::move(reason), std::move(then));
}

void Gateway::ask(const bus::ClusterQuery& query, bus::ClusterDone then) {
  impl_->bus->ask(query, std::move(then));
}

void Gateway::ask_here(bus::ClusterQuery query, bus::ClusterDone then) {
  impl_->shards->answer(std::move(query), std::move(then));
}

void Gateway::presence(std::string channel, std::string after, std::size_t limit,
                       std::function<void(const bus::PresenceAnswer&)> then) {
  impl_->shards->presence(std::move(channel), std::move(after), limit, std::move(then));
}

void Gateway::channels(std::string after, std::string prefix, std::size_t limit,
                       std::function<void(ChannelPage)> then) {
  impl_->shards->channels(std::move(after), std::move(prefix), limit, std::move(then));
}

const Limits& Gateway::limits() const {
  return impl_->config.limits;
}
std::string Gateway::store_trouble() const {
  if (impl_->redis) return impl_->redis->trouble();
  return impl_->storage ? impl_->storage->trouble() : std::string();
}
bus::BusState Gateway::bus_state() const {
  return impl_->bus->state();
}
bool Gateway::healthy() const {
  return impl_->shards->healthy(kTickAgeMax);
}
std::string Gateway::metrics() const {
  return impl_->probes->text();
}

void Gateway::drain(std::chrono::milliseconds time, std::function<void()> then) {
  impl_->shards->drain(time, std::move(then));
}

void Gateway::shed(std::size_t sessions) {
  impl_->shards->shed(sessions);
}

Result<void> Gateway::reload(const GatewayConfig& fresh) {
  auto rules = make_rules(fresh);
  if (rules.has_error()) return rules.error();
  auto tls = make_tls(fresh);
  if (tls.has_error()) return tls.error();
  if ((*tls == nullptr) != impl_->config.tls_certificate.empty()) {
    return fail(ErrorCode::config_invalid,
                "tls.certificate: TLS is switched on or off by a restart only");
  }
  impl_->rules->replace(**rules);
  impl_->authenticator->replace(fresh.keys);
  if (*tls != nullptr) impl_->shards->use_tls(std::move(*tls));
  return {};
}

void Gateway::stop() {
  impl_->stop();
}

}  // namespace peal::gateway
