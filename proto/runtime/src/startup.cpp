// From a loaded configuration to a process: what every main does first.
#include <iostream>

#include "peal/runtime/config.hpp"
#include "peal/runtime/process.hpp"

namespace peal::runtime {

std::optional<int> said_and_done(const LoadedConfig& loaded) {
  if (loaded.action != LoadedConfig::Action::exit) return std::nullopt;
  (loaded.exit_code == 0 ? std::cout : std::cerr) << loaded.output;
  return loaded.exit_code;
}

std::shared_ptr<LogBackend> log_of(const ProcessConfig& config, const LoadedConfig& loaded) {
  auto backend = make_log_backend(config.log_format == "json" ? LogFormat::json : LogFormat::text,
                                  log_level_from_name(config.log_level).value_or(LogLevel::info));
  const Logger logger(backend);
  for (const std::string& warning : loaded.warnings)
    logger.warn(warning);
  return backend;
}

}  // namespace peal::runtime
