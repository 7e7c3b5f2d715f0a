#include "process/app.hpp"

#include "peal/proto/json.hpp"

namespace peal::monitor {

App::App(AppConfig config, std::shared_ptr<runtime::LogBackend> backend, MakeRunner make_runner)
    : config_(std::move(config)),
      backend_(std::move(backend)),
      logger_(backend_),
      make_runner_(std::move(make_runner)),
      process_(config_.process, probes_, logger_),
      control_(config_.control, config_.process.name, config_.limits, logger_, probes_) {}

App::~App() = default;

runtime::ProcessCallbacks App::callbacks() {
  runtime::ProcessCallbacks callbacks;
  callbacks.drain = [this] { drain(); };
  callbacks.healthy = [this] { return !started_.load() || runner_->healthy(); };
  callbacks.ready = [this] {
    if (process_.draining()) return std::string("draining");
    return started_.load() ? runner_->why_not_ready() : std::string("starting");
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
    return "\"kind\":\"monitor\",\"source\":\"" + config_.source + "\",\"state\":\"" +
           std::string(runner_->state()) + "\",\"ready\":" +
           (runner_->why_not_ready().empty() && !process_.draining() ? "true" : "false");
  });
  // The process has blocked its signals before any thread is made.
  if (auto started = process_.start(callbacks()); !started) return started;
  runner_ = make_runner_(logger_, probes_, [this](const Error& error) {
    logger_.error("cannot go on", {{"reason", error.message}});
    hopeless_ = true;
    process_.begin_drain();
  });
  if (auto started = runner_->start(); !started) return started;
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
  runner_->stop();
  return hopeless_ ? 1 : code;
}

void App::drain() {
  control_.stop();
  runner_->stop();
  process_.drained();
}

}  // namespace peal::monitor
