#include "server/app.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "peal/proto/json.hpp"
#include "server/control_handlers.hpp"

namespace peal::gateway {
namespace {

/// Ingested publications on their way; above, the socket isn't read and producers wait.
constexpr std::size_t kIngestOnTheWayMax = 10'000;

std::string json_member(std::string_view name, std::string_view text) {
  std::string json = '"' + std::string(name) + "\":";
  append_json_string(json, text);
  return json;
}

/// Whether what is published here is heard here only.
bool alone(const GatewayConfig& config) {
  return !config.zmq && !config.redis;
}

}  // namespace

App::App(AppConfig config, std::shared_ptr<runtime::LogBackend> backend, Source source)
    : config_(std::move(config)),
      source_(std::move(source)),
      backend_(std::move(backend)),
      logger_(backend_),
      reloader_(
          {source_.settings, {"tls.certificate", "tls.key"}, "channel rules, keys and certificate"},
          logger_, probes_),
      process_(config_.process, probes_, logger_.with("process")) {}

App::~App() {
  drainer_ = {};
  // The control thread calls the gateway, and the gateway's threads answer it.
  if (control_) control_->stop();
  balancer_.reset();
  if (gateway_) gateway_->stop();
}

int App::run() {
  if (const auto started = start(); started.has_error()) {
    logger_.error("cannot start", {{"reason", started.error().message}});
    return 1;
  }
  return process_.run();
}

Result<void> App::start() {
  // First of all: it blocks the signals, which threads made later must inherit.
  if (auto started = process_.start(callbacks()); started.has_error()) return started;
  auto made = Gateway::make(config_.gateway, logger_, &probes_);
  if (made.has_error()) return made.error();
  gateway_ = std::move(*made);
  if (auto started = gateway_->start(); started.has_error()) return started;
  about_ = std::make_unique<AboutProbe>(*gateway_, probes_);
  if (alone(config_.gateway)) {
    logger_.info("the core is embedded: other gateways do not hear what is published here",
                 {{"bus", "embedded"}});
  }
  control_ = std::make_unique<runtime::ControlServer>(config_.control, config_.process.name,
                                                      config_.gateway.limits,
                                                      logger_.with("control"), probes_);
  balancer_ =
      std::make_unique<Balancer>(*gateway_, config_.rebalance_interval, logger_.with("balancer"));
  add_control_handlers(*control_, *gateway_, process_, *balancer_);
  control_->on_stats([this] { return stats_members(); });
  auto on_the_way = std::make_shared<std::atomic<std::size_t>>(0);
  control_->on_ingest(
      [this, on_the_way](std::string_view channel, std::string_view payload) {
        on_the_way->fetch_add(1);
        gateway_->publish(std::string(channel), std::string(payload),
                          [this, on_the_way](const bus::Published& outcome) {
                            on_the_way->fetch_sub(1);
                            if (outcome.error) about_->ingest_failed();
                          });
      },
      [on_the_way] { return on_the_way->load() < kIngestOnTheWayMax; });
  if (auto started = control_->start(backend_); started.has_error()) return started;
  started_.store(true);
  return {};
}

void App::drain() {
  // /readyz says no from now on; a balancer gets a moment to see it while clients are still taken.
  const auto moment = config_.process.drain_time / 10;
  drainer_ = std::jthread([this, moment](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any nobody;
    std::unique_lock lock(mutex);
    nobody.wait_for(lock, stop, moment, [] { return false; });
    if (stop.stop_requested()) return;
    gateway_->drain(config_.process.drain_time - moment, [this] { process_.drained(); });
  });
}

void App::reload() {
  if (!started_.load()) return;
  AppConfig fresh;
  reloader_.reload([&](runtime::Settings& settings) { return source_.load(fresh, settings); },
                   [&] { return gateway_->reload(fresh.gateway); });
}

std::string App::why_not_ready() const {
  const bus::BusState state = gateway_->bus_state();
  if (!state.linked) return state.detail.empty() ? "the bus is not linked" : state.detail;
  return gateway_->store_trouble();
}

std::string App::stats_members() const {
  const std::string why = process_.draining() ? "draining" : why_not_ready();
  std::string json =
      std::string("\"kind\":\"gateway\",\"ready\":") + (why.empty() ? "true" : "false");
  if (!why.empty()) json += ',' + json_member("ready_reason", why);
  json += std::string(",\"draining\":") + (process_.draining() ? "true" : "false");
  json += std::string(",\"embedded\":") + (config_.gateway.zmq ? "false" : "true");
  if (alone(config_.gateway))
    json += ',' + json_member("note", "other gateways do not hear this one");
  return json;
}

runtime::ProcessCallbacks App::callbacks() {
  runtime::ProcessCallbacks callbacks;
  callbacks.drain = [this] { drain(); };
  if (source_.load) callbacks.reload = [this] { reload(); };
  callbacks.hurry = [this] { process_.drained(); };
  callbacks.healthy = [this] { return started_.load() && gateway_->healthy(); };
  callbacks.ready = [this] { return started_.load() ? why_not_ready() : std::string("starting"); };
  callbacks.ready_members = [this] {
    return json_member("listen", gateway_->address()) + ',' +
           json_member("control", control_->endpoint()) + ',' +
           json_member("ingest", control_->ingest_endpoint());
  };
  return callbacks;
}

int run_gateway(int argc, char** argv) {
  auto source = runtime::config_source<AppConfig>(
      "peal-gateway", "Holds the clients' connections and brings them what is published.",
      {argv + 1, argv + argc});
  AppConfig config;
  const auto loaded = source.load(config, source.settings);
  if (const auto code = runtime::said_and_done(loaded)) return *code;
  auto backend = runtime::log_of(config.process, loaded);
  return App(std::move(config), std::move(backend), std::move(source)).run();
}

}  // namespace peal::gateway
