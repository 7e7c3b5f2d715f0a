#include "server/app.hpp"

#include "peal/proto/json.hpp"
#include "server/control_handlers.hpp"

namespace peal::broker {
namespace {

BrokerLoopConfig loop_config(const BrokerConfig& config) {
  BrokerLoopConfig loop;
  loop.listen = config.listen;
  loop.cluster = config.cluster;
  loop.node = config.process.name;
  loop.curve = config.control.curve;
  loop.insecure = config.control.insecure;
  if (!config.members.empty())
    loop.members = bus::read_brokers(config.members, "bus.members").value();
  if (config.store.driver == "disk") loop.store = StoreKind::disk;
  if (config.store.driver == "redis") loop.store = StoreKind::redis;
  return loop;
}

}  // namespace

App::App(BrokerConfig config, std::shared_ptr<runtime::LogBackend> backend, Source source)
    : config_(std::move(config)),
      source_(std::move(source)),
      rules_(std::make_shared<runtime::Replaceable<BrokerConfig::Rules>>(config_.rules)),
      backend_(std::move(backend)),
      logger_(backend_),
      reloader_({source_.settings, {}, "channel rules"}, logger_, probes_),
      process_(config_.process, probes_, logger_),
      control_(config_.control, config_.process.name, config_.limits, logger_, probes_) {}

App::~App() = default;

runtime::ProcessCallbacks App::callbacks() {
  runtime::ProcessCallbacks callbacks;
  callbacks.drain = [this] { drain(); };
  callbacks.reload = [this] { reload(); };
  // While it starts it is alive: a large store takes its time to be verified.
  callbacks.healthy = [this] { return !started_.load() || loop_->healthy(); };
  callbacks.ready = [this] {
    if (process_.draining()) return std::string("draining");
    return started_.load() ? why_not_ready() : std::string("starting");
  };
  callbacks.ready_members = [this] { return ready_members(); };
  return callbacks;
}

std::string App::why_not_ready() const {
  if (!loop_->healthy()) return "the broker's thread stands still";
  std::string trouble;
  if (redis_) trouble = redis_->trouble();
  if (storage_) trouble = storage_->trouble();
  return trouble.empty() ? loop_->why_not_ready() : trouble;
}

std::string App::ready_members() const {
  std::string json;
  const auto member = [&](std::string_view name, const std::string& value) {
    if (!json.empty()) json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
  };
  member("listen", loop_->endpoint());
  member("control", control_.endpoint());
  member("ingest", control_.ingest_endpoint());
  return json;
}

Result<void> App::start() {
  control_.on_stats([this] {
    const bool draining = process_.draining();
    return std::string("\"kind\":\"broker\",\"ready\":") +
           (why_not_ready().empty() && !draining ? "true" : "false") +
           ",\"draining\":" + (draining ? "true" : "false");
  });
  if (auto started = process_.start(callbacks()); !started) return started;
  if (auto started = start_loop(); !started) return started;
  if (auto started = control_.start(backend_); !started) return started;
  started_ = true;
  logger_.info("listening", {{"bus", loop_->endpoint()}});
  return {};
}

/// The process has blocked its signals by now, which the threads made here inherit.
Result<void> App::start_loop() {
  BrokerLoopConfig loop = loop_config(config_);
  if (config_.store.driver == "disk") {
    auto storage = DiskStorage::open(config_.store, config_.limits, logger_, probes_);
    if (!storage) return storage.error();
    storage_ = std::move(*storage);
    loop.make_store = storage_->maker();
  } else if (config_.store.driver == "redis") {
    redis_ = RedisStorage::open(config_.redis, logger_, probes_);
    loop.make_store = redis_->maker();
  }
  loop_ = std::make_unique<BrokerLoop>(std::move(loop), options_of(rules_), config_.limits, logger_,
                                       probes_);
  add_control_handlers(control_, *loop_, process_, config_.limits);
  return loop_->start();
}

int App::run() {
  if (const auto started = start(); !started) {
    logger_.error("cannot start",
                  {{"code", info(started.error().code).name}, {"reason", started.error().message}});
    return 1;
  }
  const int code = process_.run();
  control_.stop();
  loop_->stop();
  return code;
}

/// Nothing a broker holds can be handed to another: it says goodbye at once, and peers look for the
/// next.
void App::drain() {
  control_.stop();
  loop_->stop();
  process_.drained();
}

void App::reload() {
  if (!started_.load()) return;
  BrokerConfig fresh;
  reloader_.reload([&](runtime::Settings& settings) { return source_.load(fresh, settings); },
                   [&]() -> Result<void> {
                     rules_->replace(std::move(fresh.rules));
                     return {};
                   });
}

int run_broker(int argc, char** argv) {
  auto source = runtime::config_source<BrokerConfig>(
      "peal-broker", "Orders publications and fans them out to gateways.", {argv + 1, argv + argc});
  BrokerConfig config;
  const auto loaded = source.load(config, source.settings);
  if (const auto code = runtime::said_and_done(loaded)) return *code;
  auto backend = runtime::log_of(config.process, loaded);
  return App(std::move(config), std::move(backend), std::move(source)).run();
}

}  // namespace peal::broker
