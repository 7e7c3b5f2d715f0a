// StoreConfig: keys, default and checks.
#include "disk/folder.hpp"
#include "peal/broker/disk_storage.hpp"
#include "peal/runtime/config.hpp"

namespace peal::broker {

void describe(runtime::ConfigSchema& schema, StoreConfig& config) {
  schema.field(
      "store.driver", config.driver,
      "where logs are: memory: gone with the process; disk: acknowledged is fsynced; redis: "
      "in Redis, see redis.…, where other processes meet them");
  schema.field("store.path", config.path,
               "folder of store.driver = \"disk\"; empty: $XDG_STATE_HOME/peal/NAME, or "
               "/var/lib/peal/NAME");
  schema.field("store.verify", config.verify,
               "read the whole store at start and check its checksums");
}

Result<void> complete(StoreConfig& config, const std::string& process_name) {
  if (config.driver != "memory" && config.driver != "disk" && config.driver != "redis") {
    return fail(ErrorCode::config_invalid,
                "store.driver: \"" + config.driver + "\" is none of memory, disk, redis");
  }
  if (config.path.empty()) config.path = disk::default_path(process_name);
  return {};
}

}  // namespace peal::broker
