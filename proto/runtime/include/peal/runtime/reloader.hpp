#pragma once
// Reads a process's configuration again, at SIGHUP. What may change under a running process is put
// in force by `apply`; if anything is wrong, all of the old one stays, and log and metric say so;
// what else has changed is named, since only a restart puts it in force. The process's thread.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {

/// Key -> value, as ConfigSchema::values() says it.
using Settings = std::map<std::string, std::string>;

/// Keys whose values differ, but for those of `changeable`.
std::vector<std::string> keys_for_a_restart(const Settings& before, const Settings& after,
                                            const std::set<std::string>& changeable);

/// Where a configuration comes from, to be read more than once; without `load` only once.
template <class Config>
struct ConfigSource {
  Settings settings;  ///< what is in force
  std::function<LoadedConfig(Config& config, Settings& settings)> load;
};

/// The arguments of a main; `describe` and `complete` are found beside the Config.
template <class Config>
ConfigSource<Config> config_source(std::string program, std::string about,
                                   std::vector<std::string> words) {
  ConfigSource<Config> source;
  source.load = [program = std::move(program), about = std::move(about), words = std::move(words)](
                    Config& config, Settings& settings) {
    ConfigSchema schema;
    describe(schema, config);
    auto loaded = load_config(schema, program, about, words, [&] { return complete(config); });
    settings = schema.values();
    return loaded;
  };
  return source;
}

class Reloader final : public Probe {
 public:
  struct Plan {
    Settings in_force;
    std::set<std::string> changeable;  ///< keys that `apply` puts in force, besides tables
    std::string_view what;             ///< "channel rules and keys": for the log
  };
  Reloader(Plan plan, Logger logger, ProbeRegistry& probes);

  /// Whether what `load` read was taken by `apply`.
  bool reload(const std::function<LoadedConfig(Settings& settings)>& load,
              const std::function<Result<void>()>& apply);

  void collect(MetricSink& sink) const override;

 private:
  const Plan plan_;
  const Logger logger_;
  std::atomic<std::uint64_t> taken_{0};
  std::atomic<bool> refused_{false};
  std::shared_ptr<void> registration_;
};

}  // namespace peal::runtime
