#include "redis/run.hpp"

#include <iostream>

#include "process/app.hpp"
#include "redis/dry_run.hpp"
#include "redis/redis_loop.hpp"

namespace peal::monitor {

int run_redis_monitor(int argc, char** argv) {
  RedisMonitorConfig config;
  runtime::ConfigSchema schema;
  describe(schema, config);
  const auto loaded = runtime::load_config(
      schema, "peal-monitor-redis",
      "Publishes what is added to streams and lists of a Redis, what is said there, and what "
      "happens to keys.",
      std::vector<std::string>(argv + 1, argv + argc), [&] { return complete(config); });
  if (const auto code = runtime::said_and_done(loaded)) return *code;
  if (config.dry_run) return dry_run(config, std::cout, std::cerr);
  App app({"redis", config.process, config.control, config.limits},
          runtime::log_of(config.process, loaded),
          [&](const runtime::Logger& logger, runtime::ProbeRegistry& probes, App::OnHopeless) {
            return std::make_unique<RedisLoop>(config, logger, probes);
          });
  return app.run();
}

}  // namespace peal::monitor
