#include "postgres/app.hpp"

#include <iostream>

#include "postgres/outbox_reader.hpp"

namespace peal::monitor {

App::App(MonitorConfig config, std::shared_ptr<runtime::LogBackend> backend)
    : config_(std::move(config)),
      backend_(std::move(backend)),
      logger_(backend_),
      process_(config_.process, probes_, logger_),
      control_(config_.control, config_.process.name, config_.limits, logger_, probes_) {}

App::~App() = default;

runtime::ProcessCallbacks App::callbacks() {
  runtime::ProcessCallbacks callbacks;
  callbacks.drain = [this] { drain(); };
  callbacks.healthy = [this] { return !started_.load() || loop_->healthy(); };
  callbacks.ready = [this] {
    if (process_.draining()) return std::string("draining");
    return started_.load() ? loop_->why_not_ready() : std::string("starting");
  };
  callbacks.ready_members = [this] {
    std::string json = "\"control\":";
    append_json_string(json, control_.endpoint());
    return json;
  };
  return callbacks;
}

Result<void> App::start() {
  control_.on_stats([this] {
    return "\"kind\":\"monitor\",\"source\":\"postgres\",\"state\":\"" +
           std::string(loop_->state()) + "\",\"ready\":" +
           (loop_->why_not_ready().empty() && !process_.draining() ? "true" : "false");
  });
  // The process has blocked its signals before any thread is made.
  if (auto started = process_.start(callbacks()); !started) return started;
  loop_ = std::make_unique<MonitorLoop>(config_, logger_, probes_, [this](const Error& error) {
    logger_.error("cannot go on", {{"reason", error.message}});
    hopeless_ = true;
    process_.begin_drain();
  });
  if (auto started = loop_->start(); !started) return started;
  if (auto started = control_.start(backend_); !started) return started;
  started_ = true;
  return {};
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
  return hopeless_ ? 1 : code;
}

void App::drain() {
  control_.stop();
  loop_->stop();
  process_.drained();
}

int run_monitor(int argc, char** argv) {
  MonitorConfig config;
  runtime::ConfigSchema schema;
  describe(schema, config);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto loaded = runtime::load_config(schema, "peal-monitor-postgres",
                                           "Publishes what changes in a Postgres database.",
                                           arguments, [&] { return complete(config); });
  if (loaded.action == runtime::LoadedConfig::Action::exit) {
    (loaded.exit_code == 0 ? std::cout : std::cerr) << loaded.output;
    return loaded.exit_code;
  }
  if (config.dry_run) {
    const auto lines = dry_run(config);
    if (lines) {
      std::cout << *lines;
    } else {
      std::cerr << lines.error().message << '\n';
    }
    return lines ? 0 : 1;
  }
  const auto level = runtime::log_level_from_name(config.process.log_level);
  const auto backend = runtime::make_log_backend(
      config.process.log_format == "json" ? runtime::LogFormat::json : runtime::LogFormat::text,
      level.value_or(runtime::LogLevel::info));
  const runtime::Logger logger(backend);
  for (const std::string& warning : loaded.warnings)
    logger.warn(warning);
  return App(std::move(config), backend).run();
}

}  // namespace peal::monitor
