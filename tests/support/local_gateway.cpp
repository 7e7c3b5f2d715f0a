#include "local_gateway.hpp"

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <utility>

namespace peal::test {

LocalGateway::LocalGateway() {
  config.listen = "127.0.0.1:0";
  gateway::ChannelRule rule;
  rule.pattern = "*";
  rule.subscribe = rule.publish = "anyone";
  rules = {rule};
  protocols = {
      [](const Limits& limits) { return std::make_unique<gateway::JsonProtocol>(limits); }};
  options_of = [](std::string_view) { return broker::ChannelOptions{}; };
}

LocalGateway::~LocalGateway() {
  stop();
}

void LocalGateway::start() {
  std::vector<std::string> names;
  for (const auto& [name, secret] : keys)
    names.push_back(name);
  config.rules = gateway::ChannelRules::make(rules, names).value();
  auto shared = std::make_shared<gateway::http::RouterShared>();
  shared->limits = config.limits;
  shared->authenticator = std::make_shared<gateway::Authenticator>(keys);
  shared->protocols = protocols;
  shared->origins = gateway::OriginPolicy({allowed_origins, {}, config.listen});
  const runtime::Logger logger(log_);
  if (!config.authenticate)
    config.authenticate = [shared](const gateway::Principal& now, std::string_view token) {
      return shared->authenticator->authenticate(now, token);
    };
  if (!config.make_http)
    config.make_http = [this, shared, logger](gateway::Shard&) {
      return std::make_unique<gateway::http::Router>(shared, logger, probes_);
    };
  if (!bus) bus = bus::make_embedded_bus(config.shards, options_of, config.limits, probes_);
  shards_ = gateway::make_shard_set(config, logger, probes_);
  if (auto started = shards_->start(*bus); !started)
    throw std::runtime_error(started.error().message);
  if (auto started = bus->start(); !started) throw std::runtime_error(started.error().message);
}

void LocalGateway::stop() {
  if (!shards_) return;
  bus->stop();
  shards_->stop();
}

std::uint16_t LocalGateway::port() const {
  const std::string address = shards_->address();
  return static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
}

double LocalGateway::metric(const std::string& name) const {
  const std::string text = "\n" + probes_.text();
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0.0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

}  // namespace peal::test
