#include <unistd.h>

#include <algorithm>
#include <array>

#include "peal/runtime/address.hpp"
#include "peal/runtime/config.hpp"
#include "peal/runtime/process.hpp"

namespace peal::runtime {
namespace {

constexpr std::size_t kNameBytesMax = 64;

std::string default_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {"localhost"};
  std::string name(host.data());
  name = name.substr(0, name.find('.')).substr(0, 40);
  return name + "-" + std::to_string(getpid());
}

bool name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

Error invalid(std::string message) {
  return fail(ErrorCode::config_invalid, std::move(message));
}

}  // namespace

void describe(ConfigSchema& schema, ProcessConfig& config) {
  schema.field("name", config.name, "this node's name, unique in its cluster; empty: host-pid");
  schema.field("internal_listen", config.internal_listen,
               "address of /healthz /readyz /metrics /version, or \"off\"");
  schema.field("ready_file", config.ready_file,
               "a JSON file that is there while the process is ready; empty: none");
  schema.field("drain_delay", config.drain_delay,
               "after SIGTERM, time for a balancer to see /readyz before draining begins");
  schema.field("drain_time", config.drain_time,
               "from the beginning of draining to the last session");
  schema.field("log.level", config.log_level, "trace, debug, info, warn, error or off");
  schema.field("log.format", config.log_format, "text or json");
}

Result<void> complete(ProcessConfig& config) {
  if (config.name.empty()) config.name = default_name();
  if (config.name.size() > kNameBytesMax || !std::ranges::all_of(config.name, name_byte)) {
    return invalid("name: 1 to 64 of letters, digits, '-', '_' and '.'");
  }
  if (!log_level_from_name(config.log_level)) {
    return invalid("log.level: \"" + config.log_level +
                   "\" is not one of trace, debug, info, warn, error, off");
  }
  if (config.log_format != "text" && config.log_format != "json") {
    return invalid("log.format: \"" + config.log_format + "\" is neither text nor json");
  }
  if (!config.internal_listen.empty() && config.internal_listen != "off") {
    const auto address = Address::parse(config.internal_listen);
    if (!address) return invalid("internal_listen: " + address.error().message);
  }
  return {};
}

}  // namespace peal::runtime
