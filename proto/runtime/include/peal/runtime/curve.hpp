#pragma once
// CURVE, ZeroMQ's encryption, and its allow-list. Keys are Z85 text of 40 characters. A socket that
// binds with CURVE accepts whoever knows its public key unless a ZAP handler says otherwise, so
// bind only while a ZapAllowList lives in the same context. Sockets and contexts are libzmq's, as
// void*.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {

struct CurveConfig {
  std::string public_key;                 ///< empty: derived from the secret one
  std::string secret_key;                 ///< empty: no CURVE
  std::string server_key;                 ///< when connecting: the other side's public key
  std::vector<std::string> allowed_keys;  ///< when bound: the clients' public keys (ZAP)
  bool configured() const { return !secret_key.empty(); }
};

class ConfigSchema;
/// Binds curve.public_key, curve.secret_key, curve.server_key and curve.allowed_keys.
void describe(ConfigSchema& schema, CurveConfig& config);
/// Derives the public key; refuses what is no key or not a pair, naming the config key.
Result<void> complete(CurveConfig& config);

struct CurveKeys {
  std::string public_key;
  std::string secret_key;
};
CurveKeys generate_curve_keys();
bool valid_curve_key(std::string_view key);

/// A tcp:// endpoint that other machines can reach needs CURVE, unless `insecure`. `key` is the
/// config key that the error names.
Result<void> require_curve(std::string_view endpoint, const CurveConfig& config, bool insecure,
                           std::string_view key);

/// Before zmq_bind; harmless on ipc:// and inproc://. Turns on ZAP for the socket.
Result<void> apply_curve_server(void* socket, const CurveConfig& config);
/// Before zmq_connect; needs `server_key`.
Result<void> apply_curve_client(void* socket, const CurveConfig& config);

/// The ZAP handler of one context, on a thread of its own: CURVE clients whose key is on the list
/// come in, everyone else is refused, logged (once a second at most) and counted. Destroy it before
/// the context.
class ZapAllowList {
 public:
  ZapAllowList(void* context, const std::vector<std::string>& allowed_keys, Logger logger,
               ProbeRegistry& probes);
  ~ZapAllowList();
  ZapAllowList(const ZapAllowList&) = delete;
  ZapAllowList& operator=(const ZapAllowList&) = delete;

  Result<void> start();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::runtime
