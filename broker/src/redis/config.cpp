// Config: keys, checks, password files.
#include "peal/redis/config.hpp"

#include <fstream>

#include "peal/runtime/config.hpp"
#include "redis/endpoint.hpp"

namespace peal::redis {
namespace {

using Visibility = runtime::ConfigSchema::Visibility;
constexpr std::chrono::milliseconds kNone{0};

Error invalid(std::string message) {
  return fail(ErrorCode::config_invalid, std::move(message));
}

void describe_access(runtime::ConfigSchema& schema, Config& config) {
  schema.field("redis.user", config.user, "ACL user; empty: the default one");
  schema.field("redis.password", config.password, "its password", Visibility::secret);
  schema.field("redis.password_file", config.password_file,
               "file whose first line is the password");
  schema.field("redis.sentinel_user", config.sentinel_user, "ACL user at the Sentinels");
  schema.field("redis.sentinel_password", config.sentinel_password, "its password",
               Visibility::secret);
  schema.field("redis.sentinel_password_file", config.sentinel_password_file,
               "file whose first line is that password");
  schema.field("redis.database", config.database, "number of the database; 0 in a Cluster");
  schema.field("redis.tls", config.tls, "TLS to Redis and to the Sentinels");
  schema.field("redis.tls_ca_file", config.tls_ca_file,
               "PEM of the authorities to trust; empty: the system's");
  schema.field("redis.tls_server_name", config.tls_server_name,
               "whom the certificate has to name; empty: the address's host");
  schema.field("redis.tls_certificate_file", config.tls_certificate_file,
               "PEM to show a server that asks for a certificate");
  schema.field("redis.tls_key_file", config.tls_key_file, "PEM of that certificate's key");
}

Result<void> check_addresses(const Config& config) {
  if (config.addresses.empty()) return invalid("redis.addresses: at least one is needed");
  for (const std::string& text : config.addresses) {
    const auto endpoint = Endpoint::parse(text);
    if (endpoint.has_error()) return invalid("redis.addresses: " + endpoint.error().message);
    if (config.mode == "cluster" && endpoint->is_unix()) {
      return invalid("redis.addresses: " + text + ": a Cluster's nodes are reached over TCP");
    }
  }
  if (config.mode == "single" && config.addresses.size() != 1) {
    return invalid(
        "redis.addresses: redis.mode = \"single\" has one address; for a master and replicas "
        "there are \"sentinel\" and \"cluster\"");
  }
  return {};
}

Result<void> check_times(const Config& config) {
  for (const auto& [name, value] : {std::pair{"connect_timeout", config.connect_timeout},
                                    std::pair{"command_timeout", config.command_timeout},
                                    std::pair{"reconnect_min", config.reconnect_min},
                                    std::pair{"probe_interval", config.probe_interval},
                                    std::pair{"topology_interval", config.topology_interval}}) {
    if (value <= kNone) return invalid(std::string("redis.") + name + ": must be above 0");
  }
  if (config.reconnect_max < config.reconnect_min) {
    return invalid("redis.reconnect_max: is below redis.reconnect_min");
  }
  if (config.probe_timeout <= config.probe_interval) {
    return invalid("redis.probe_timeout: must be above redis.probe_interval");
  }
  return {};
}

Result<void> read_password(std::string_view key, const std::string& file, std::string& target) {
  if (file.empty()) return {};
  const std::string name = "redis." + std::string(key);
  if (!target.empty()) return invalid(name + " and " + name + "_file: only one of them, please");
  std::ifstream input(file);
  std::string line;
  if (!std::getline(input, line) || line.empty()) {
    return invalid(name + "_file: no password can be read from " + file);
  }
  if (line.ends_with('\r')) line.pop_back();
  target = line;
  return {};
}

}  // namespace

void describe(runtime::ConfigSchema& schema, Config& config) {
  schema.field("redis.mode", config.mode, "single, sentinel or cluster");
  schema.field("redis.addresses", config.addresses,
               "host:port or unix:/path of the server, the Sentinels or some of a Cluster's nodes");
  schema.field("redis.master_name", config.master_name, "what the Sentinels call the master");
  describe_access(schema, config);
  schema.field("redis.connect_timeout", config.connect_timeout,
               "until a connection is usable, TLS and greeting included");
  schema.field("redis.command_timeout", config.command_timeout,
               "until a command is answered; then its connection is given up");
  schema.field("redis.reconnect_min", config.reconnect_min,
               "first pause before connecting again; doubles, with jitter");
  schema.field("redis.reconnect_max", config.reconnect_max, "the longest such pause");
  schema.field("redis.probe_interval", config.probe_interval,
               "how often a message goes through the real pub/sub path");
  schema.field("redis.probe_timeout", config.probe_timeout,
               "how long none of these may come; then its connection is given up");
  schema.field("redis.topology_interval", config.topology_interval,
               "how often a Cluster is asked who serves what, when nothing else tells");
  schema.field("redis.unanswered_bytes_max", config.unanswered_bytes_max,
               "commands without an answer; above that they are refused");
  schema.field("redis.reply_bytes_max", config.reply_bytes_max,
               "one reply; above that its connection is given up");
  schema.field("redis.allow_eviction", config.allow_eviction,
               "take a Redis whose maxmemory-policy evicts keys; logs may then lose their past");
  schema.field("redis.prefix", config.prefix, "what all keys and channels begin with");
}

Result<void> complete(Config& config) {
  if (config.mode != "single" && config.mode != "sentinel" && config.mode != "cluster") {
    return invalid("redis.mode: \"" + config.mode + "\" is none of single, sentinel, cluster");
  }
  for (const auto& check : {check_addresses(config), check_times(config)}) {
    if (check.has_error()) return check;
  }
  if (config.mode == "cluster" && config.database != 0) {
    return invalid("redis.database: a Cluster has only database 0");
  }
  if (config.prefix.empty() || config.prefix.find_first_of("{}*?[") != std::string::npos) {
    return invalid("redis.prefix: must not be empty and has none of { } * ? [");
  }
  if (config.tls_certificate_file.empty() != config.tls_key_file.empty()) {
    return invalid("redis.tls_certificate_file and redis.tls_key_file: both or none");
  }
  if (auto read = read_password("password", config.password_file, config.password);
      read.has_error()) {
    return read;
  }
  return read_password("sentinel_password", config.sentinel_password_file,
                       config.sentinel_password);
}

}  // namespace peal::redis
