#include "server/app_config.hpp"

#include <ranges>

#include "http/static_files.hpp"
#include "io/transport.hpp"
#include "peal/runtime/address.hpp"
#include "session/client_addresses.hpp"
#include "session/origin.hpp"

namespace peal::gateway {
namespace {

/// Percent x milliseconds: a hundred seconds at one percent, and a tenth more that drain waits
/// first.
constexpr long kDrainAtLeast = 115'000;

Error invalid(std::string message) {
  return fail(ErrorCode::config_invalid, std::move(message));
}

void describe_rule(runtime::ConfigSchema& entry, AppConfig::Rule& rule) {
  entry.field("pattern", rule.rule.pattern,
              "a glob of channel names; the first rule that matches counts");
  entry.field("subscribe", rule.rule.subscribe, "nobody, anyone or key:NAME");
  entry.field("publish", rule.rule.publish, "nobody, anyone or key:NAME");
  entry.field("recoverable", rule.rule.recoverable,
              "keep a log, so that clients recover what they missed");
  entry.field("history_length_max", rule.rule.history_length_max,
              "publications that the log keeps");
  entry.field("history_bytes_max", rule.rule.history_bytes_max, "bytes that the log keeps");
  entry.field("history_age_max", rule.rule.history_age_max,
              "how long the log keeps a publication; 0: for ever");
  entry.field("compact", rule.rule.compact, "of each key the log keeps only the last publication");
  entry.field("file", rule.rule.file,
              "the channel is a file under /files: appended to, never trimmed");
  entry.field("presence", rule.rule.presence,
              "who may see who is there, and be seen: nobody, anyone or key:NAME");
  entry.field("occupancy", rule.rule.occupancy,
              "tell the channel peal:occupancy when the first session comes and the last goes");
  entry.field("public", rule.rule.public_cache,
              "shared HTTP caches may keep what is read (needs subscribe = \"anyone\")");
  entry.field("cache_max_age", rule.rule.cache_max_age,
              "how long an HTTP cache may serve the value unasked; 0: it asks each time");
  entry.field("require_match", rule.rule.require_match,
              "HTTP PUT and DELETE must say If-Match or If-None-Match, else 428");
  entry.field("slow_consumer", rule.slow_consumer,
              "close a client that reads too slowly, or drop_oldest (not on recoverable channels)");
}

Result<std::vector<ChannelRule>> channel_rules(const AppConfig& config) {
  std::vector<ChannelRule> rules;
  for (const AppConfig::Rule& written : config.rules) {
    ChannelRule rule = written.rule;
    if (written.slow_consumer == "drop_oldest") {
      rule.slow_consumer = SlowConsumerPolicy::drop_oldest;
    } else if (written.slow_consumer != "close") {
      return invalid("[[channels]] \"" + rule.pattern + "\": slow_consumer is \"" +
                     written.slow_consumer + "\", not \"close\" or \"drop_oldest\"");
    }
    rules.push_back(std::move(rule));
  }
  for (const std::string& pattern : config.allow) {
    ChannelRule rule;
    rule.pattern = pattern;
    rule.subscribe = rule.publish = rule.presence = "anyone";
    rules.push_back(std::move(rule));
  }
  return rules;
}

/// Whether the files that the config names can be read; they are read for good when the gateway is
/// made.
Result<void> check_files(const GatewayConfig& gateway) {
  if (!gateway.tls_certificate.empty()) {
    const auto tls = TlsContext::make(gateway.tls_certificate, gateway.tls_key);
    if (tls.has_error()) return tls.error();
  }
  if (!gateway.web_root.empty()) {
    const auto files = http::StaticFiles::load(gateway.web_root);
    if (files.has_error()) return files.error();
  }
  return {};
}

/// Whether all sessions can be closed in time without closing too many at once.
Result<void> check_drain(const AppConfig& config) {
  const std::size_t share = config.gateway.drain_share_max;
  if (share > 100) return invalid("drain_share_max: more than 100 percent");
  if (share == 0) return {};
  const auto least = std::chrono::milliseconds(kDrainAtLeast / static_cast<long>(share));
  if (config.process.drain_time >= least) return {};
  return invalid("drain_time: too short to close all sessions when drain_share_max is " +
                 std::to_string(share) + " percent a second; at least " +
                 std::to_string(least.count()) + "ms");
}

}  // namespace

AppConfig::AppConfig() {
  process.internal_listen = "127.0.0.1:8421";
  gateway.shards = 0;
  zmq.connect = {"tcp://127.0.0.1:8422"};
}

void describe(runtime::ConfigSchema& schema, AppConfig& config) {
  GatewayConfig& gateway = config.gateway;
  runtime::describe(schema, config.process);
  schema.field("listen", gateway.listen, "address of the public listener; port 0: any free one");
  schema.field("shards", gateway.shards, "threads that serve clients; 0: one per core");
  schema.field("web_root", gateway.web_root, "folder of pages to serve at /; empty: none");
  schema.field("allowed_origins", gateway.allowed_origins,
               "exact origins of pages, besides the gateway's own, that may connect");
  schema.field("allowed_hosts", gateway.allowed_hosts,
               "exact Host names; empty: loopback names and the listener's own address");
  schema.field("trusted_proxies", gateway.trusted_proxies,
               "networks of proxies that are believed about their clients' addresses");
  schema.field("proxy_header", gateway.proxy_header,
               "by what alone they are believed: x-forwarded-for, forwarded or proxy-protocol");
  schema.field("flush_delay", config.flush_delay,
               "how long publications wait for company; 0: not at all");
  schema.field("drain_share_max", gateway.drain_share_max,
               "percent of the sessions that are closed a second at most; 0: as drain_time asks");
  schema.field("rebalance_interval", config.rebalance_interval,
               "how often sessions above this gateway's part of all are given away; 0: never");
  schema.field("tls.certificate", gateway.tls_certificate, "PEM file; empty: no TLS");
  schema.field("tls.key", gateway.tls_key, "PEM file of the certificate's key");
  schema.field(
      "bus.driver", config.bus_driver,
      "embedded: alone; zmq: through peal-broker; redis: gateways meet in Redis, see redis.…");
  schema.field(
      "bus.connect", config.zmq.connect,
      "the broker's endpoint, or name=endpoint of each of several, with bus.driver = \"zmq\"");
  schema.field("bus.cluster", config.zmq.cluster, "name of the cluster; both sides must agree");
  broker::describe(schema, gateway.store);
  broker::describe(schema, config.redis);
  schema.array(
      "channels",
      [&config](runtime::ConfigSchema& entry) {
        describe_rule(entry, config.rules.emplace_back());
      },
      "who may do what on which channels");
  schema.flag("allow", config.allow,
              "a pattern on which anyone may subscribe, publish and see who is there; for trying "
              "things out");
  schema.table("keys", gateway.keys, "keys for key:NAME, shown as bearer or connect token",
               runtime::ConfigSchema::Visibility::secret);
  runtime::describe(schema, gateway.limits);
  runtime::describe(schema, config.control);
}

Result<void> complete(AppConfig& config) {
  if (auto done = runtime::complete(config.process); done.has_error()) return done;
  if (auto good = runtime::validate(config.gateway.limits); good.has_error()) return good;
  if (auto good = check_drain(config); good.has_error()) return good;
  GatewayConfig& gateway = config.gateway;
  gateway.name = config.process.name;
  gateway.flush_delay = config.flush_delay;
  if (const auto address = runtime::Address::parse(gateway.listen); address.has_error()) {
    return invalid("listen: " + address.error().message);
  }
  if (config.bus_driver == "zmq") {
    config.zmq.node = config.process.name;
    config.zmq.curve = config.control.curve;
    config.zmq.insecure = config.control.insecure;
    gateway.zmq = config.zmq;
  } else if (config.bus_driver == "redis") {
    if (auto done = broker::complete(config.redis); done.has_error()) return done;
    gateway.redis = config.redis;
  } else if (config.bus_driver != "embedded") {
    return invalid("bus.driver: \"" + config.bus_driver + "\" is none of embedded, zmq, redis");
  }
  if (auto done = broker::complete(gateway.store, config.process.name); done.has_error()) {
    return done;
  }
  if (gateway.store.driver == "redis") {
    return invalid(
        "store.driver = \"redis\" is for brokers: a gateway says bus.driver = \"redis\"");
  }
  if (gateway.redis && gateway.store.driver != "memory") {
    return invalid("store.driver = \"" + gateway.store.driver +
                   "\" goes with bus.driver = \"embedded\": with redis the logs are there");
  }
  if (gateway.zmq && gateway.store.driver != "memory") {
    return invalid("store.driver = \"" + gateway.store.driver +
                   "\" goes with bus.driver = \"embedded\": with zmq the brokers have the logs");
  }
  if (gateway.tls_certificate.empty() != gateway.tls_key.empty()) {
    return invalid("tls.certificate and tls.key go together");
  }
  if (auto error = OriginPolicy::validate(
          {gateway.allowed_origins, gateway.allowed_hosts, gateway.listen})) {
    return *error;
  }
  if (auto made = ProxyTrust::make(gateway.trusted_proxies, gateway.proxy_header); made.has_error())
    return made.error();
  auto rules = channel_rules(config);
  if (rules.has_error()) return rules.error();
  const auto names = std::views::keys(gateway.keys);
  if (auto made = ChannelRules::make(*rules, {names.begin(), names.end()}); made.has_error()) {
    return made.error();
  }
  gateway.channels = std::move(*rules);
  return check_files(gateway);
}

}  // namespace peal::gateway
