#include "server/reload.hpp"

#include <algorithm>
#include <map>

namespace peal::gateway {
namespace {

/// Key -> value as printed, of all that stands before the tables of free names and the rules.
std::map<std::string, std::string> settings(std::string_view printed) {
  std::map<std::string, std::string> found;
  std::string section;
  while (!printed.empty()) {
    const auto end = std::min(printed.find('\n'), printed.size());
    const std::string_view line = printed.substr(0, end);
    printed.remove_prefix(std::min(end + 1, printed.size()));
    if (line == "[keys]" || line.starts_with("[[")) break;
    if (line.starts_with('[')) section = std::string(line.substr(1, line.find(']') - 1)) + '.';
    const auto equals = line.find(" = ");
    if (line.starts_with('#') || line.starts_with('[') || equals == std::string_view::npos)
      continue;
    found.emplace(section + std::string(line.substr(0, equals)), line.substr(equals + 3));
  }
  return found;
}

}  // namespace

std::vector<std::string> keys_for_a_restart(std::string_view before, std::string_view after) {
  const auto was = settings(before);
  std::vector<std::string> changed;
  for (const auto& [key, value] : settings(after)) {
    if (key == "tls.certificate" || key == "tls.key") continue;
    const auto found = was.find(key);
    if (found == was.end() || found->second != value) changed.push_back(key);
  }
  return changed;
}

}  // namespace peal::gateway
