#pragma once
// How Redis is reached: one server, masters that Sentinel names, or a Cluster. Plain values, filled
// at start-up. A password is never logged and never part of an error.

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::runtime {
class ConfigSchema;
}  // namespace peal::runtime

namespace peal::redis {

struct Config {
  /// "single", "sentinel" or "cluster".
  std::string mode = "single";
  /// "host:port", "[v6]:port" or "unix:/path": the server, the Sentinels, or some of a Cluster's
  /// nodes.
  std::vector<std::string> addresses{"127.0.0.1:6379"};
  /// What the Sentinels call the master.
  std::string master_name = "mymaster";

  /// ACL user; empty: the default one.
  std::string user{};
  std::string password{};
  /// A file that has the password as its first line; instead of `password`.
  std::string password_file{};
  std::string sentinel_user{};
  std::string sentinel_password{};
  std::string sentinel_password_file{};
  /// SELECT; 0 with a Cluster.
  std::size_t database = 0;

  bool tls = false;
  /// PEM of the authorities to trust; empty: those of the system.
  std::string tls_ca_file{};
  /// Whom the certificate has to name; empty: the address's host.
  std::string tls_server_name{};
  /// For servers that ask clients for a certificate.
  std::string tls_certificate_file{};
  std::string tls_key_file{};

  /// Until a connection is usable: name, TCP, TLS, greeting and setup together.
  std::chrono::milliseconds connect_timeout{3000};
  /// Until a command is answered, redirects included; then its connection is given up.
  std::chrono::milliseconds command_timeout{5000};
  /// The first pause before connecting again; doubles, with jitter, up to the second.
  std::chrono::milliseconds reconnect_min{100};
  std::chrono::milliseconds reconnect_max{3000};
  /// How often a message goes through the real pub/sub path, and how long it may take.
  std::chrono::milliseconds probe_interval{1000};
  std::chrono::milliseconds probe_timeout{4000};
  /// How often a Cluster's nodes are asked anew who serves what, when nothing else tells.
  std::chrono::milliseconds topology_interval{10000};

  /// Commands that wait for an answer; above that they are refused.
  std::size_t unanswered_bytes_max = 64U << 20U;
  /// One reply of Redis; above that the connection is given up.
  std::size_t reply_bytes_max = 64U << 20U;
  /// Start although maxmemory-policy may evict keys.
  bool allow_eviction = false;
  /// Channels and keys of Peal begin with it; the probe's channel too.
  std::string prefix = "peal:";
};

/// Binds every field as "redis.…".
void describe(runtime::ConfigSchema& schema, Config& config);
/// Checks, and reads the password files.
Result<void> complete(Config& config);

}  // namespace peal::redis
