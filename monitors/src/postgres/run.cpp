#include "postgres/run.hpp"

#include <iostream>

#include "postgres/logical_dry_run.hpp"
#include "postgres/monitor_loop.hpp"
#include "postgres/notify_dry_run.hpp"
#include "postgres/outbox_reader.hpp"
#include "process/app.hpp"

namespace peal::monitor {

int run_postgres_monitor(int argc, char** argv) {
  MonitorConfig config;
  runtime::ConfigSchema schema;
  describe(schema, config);
  const auto loaded = runtime::load_config(
      schema, "peal-monitor-postgres", "Publishes what changes in a Postgres database.",
      std::vector<std::string>(argv + 1, argv + argc), [&] { return complete(config); });
  if (const auto code = runtime::said_and_done(loaded)) return *code;
  if (config.dry_run && config.mode == "notify")
    return notify_dry_run(config, std::cout, std::cerr);
  if (config.dry_run) {
    const auto lines = config.mode == "logical" ? logical_dry_run(config) : dry_run(config);
    if (lines) {
      std::cout << *lines;
    } else {
      std::cerr << lines.error().message << '\n';
    }
    return lines ? 0 : 1;
  }
  App app({"postgres", config.process, config.control, config.limits},
          runtime::log_of(config.process, loaded),
          [&](const runtime::Logger& logger, runtime::ProbeRegistry& probes,
              App::OnHopeless on_hopeless) {
            return std::make_unique<MonitorLoop>(config, logger, probes, std::move(on_hopeless));
          });
  return app.run();
}

}  // namespace peal::monitor
