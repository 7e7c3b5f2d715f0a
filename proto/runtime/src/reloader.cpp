#include "peal/runtime/reloader.hpp"

#include <utility>

namespace peal::runtime {

std::vector<std::string> keys_for_a_restart(const Settings& before, const Settings& after,
                                            const std::set<std::string>& changeable) {
  std::vector<std::string> changed;
  for (const auto& [key, value] : after) {
    if (changeable.contains(key)) continue;
    const auto was = before.find(key);
    if (was == before.end() || was->second != value) changed.push_back(key);
  }
  return changed;
}

Reloader::Reloader(Plan plan, Logger logger, ProbeRegistry& probes)
    : plan_(std::move(plan)), logger_(std::move(logger)), registration_(probes.add(*this)) {}

bool Reloader::reload(const std::function<LoadedConfig(Settings& settings)>& load,
                      const std::function<Result<void>()>& apply) {
  Settings settings;
  const LoadedConfig loaded = load(settings);
  std::string why;
  if (loaded.action == LoadedConfig::Action::exit) {
    why = loaded.output;
  } else if (const auto done = apply(); done.has_error()) {
    why = done.error().message;
  }
  refused_.store(!why.empty());
  if (!why.empty()) {
    logger_.error("not reloaded, the old configuration stays", {{"reason", why}});
    return false;
  }
  taken_.fetch_add(1);
  for (const std::string& warning : loaded.warnings)
    logger_.warn(warning);
  for (const std::string& key : keys_for_a_restart(plan_.in_force, settings, plan_.changeable))
    logger_.warn("changed, but only a restart puts it in force", {{"key", key}});
  logger_.info("reloaded: " + std::string(plan_.what));
  return true;
}

void Reloader::collect(MetricSink& sink) const {
  sink.counter("peal_reloads_total", "Times that the configuration was read again and taken",
               static_cast<double>(taken_.load()));
  sink.gauge("peal_reload_refused", "1 while the last one was refused and the old one is kept",
             refused_.load() ? 1 : 0);
}

}  // namespace peal::runtime
