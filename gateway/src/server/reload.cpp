#include "server/reload.hpp"

namespace peal::gateway {

std::vector<std::string> keys_for_a_restart(const Settings& before, const Settings& after) {
  std::vector<std::string> changed;
  for (const auto& [key, value] : after) {
    if (key == "tls.certificate" || key == "tls.key") continue;
    const auto was = before.find(key);
    if (was == before.end() || was->second != value) changed.push_back(key);
  }
  return changed;
}

}  // namespace peal::gateway
