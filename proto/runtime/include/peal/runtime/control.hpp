#pragma once
// The control socket (ZeroMQ ROUTER) and the ingest socket (ZeroMQ PULL) of a process, on one
// thread of their own. Control: one frame, a JSON object {"id"?, "action": NAME, "payload"?: {…}},
// and one back: {"id"?, "result"|"error"}; REQ and DEALER clients both work. Ingest: frames
// [channel][payload], no answer. ipc:// files get 0600 rights and a stale one is replaced; a tcp://
// endpoint that others can reach needs CURVE unless `insecure`. Handlers run on the control thread;
// they may answer later, from any thread, through ControlReply.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "peal/proto/limits.hpp"
#include "peal/proto/result.hpp"
#include "peal/runtime/curve.hpp"
#include "peal/runtime/logger.hpp"
#include "peal/runtime/probe.hpp"

namespace peal::runtime {

/// Answers one control command, once, from any thread; dropping it unanswered says internal_error.
class ControlReply {
 public:
  struct Impl;
  explicit ControlReply(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  void result(std::string_view json) const;
  void error(const Error& error) const;

 private:
  std::shared_ptr<Impl> impl_;
};

/// `payload` is the validated raw JSON object of the command ("{}" when left out).
using ControlHandler = std::function<void(std::string_view payload, ControlReply reply)>;
/// `channel` is a valid name, `payload` valid JSON within the limits.
using IngestHandler = std::function<void(std::string_view channel, std::string_view payload)>;
/// Whether more may be ingested now. While it says no, the socket isn't read and producers wait.
using IngestGate = std::function<bool()>;

class ConfigSchema;
struct ControlConfig {
  std::string endpoint;  ///< "off", "ipc://…", "tcp://…"; empty: ipc in the runtime folder
  std::string ingest_endpoint;  ///< likewise
  bool insecure = false;
  CurveConfig curve;
};

/// Binds `control`, `ingest`, `insecure` and `curve.*`.
void describe(ConfigSchema& schema, ControlConfig& config);

/// $XDG_RUNTIME_DIR/peal, or /run/peal (root), or /tmp/peal-UID; made with 0700 when missing.
std::string runtime_folder();
/// Whether only this user can put something into it.
Result<void> check_runtime_folder(const std::string& folder);

class ControlServer {
 public:
  ControlServer(ControlConfig config, std::string node_name, const Limits& limits, Logger logger,
                ProbeRegistry& probes);
  ~ControlServer();  ///< stops and joins

  void handle(std::string action, ControlHandler handler);      ///< before start
  void on_ingest(IngestHandler handler, IngestGate gate = {});  ///< before start
  /// Further members of `stats`, as JSON ("\"kind\":\"gateway\""); before start.
  void on_stats(std::function<std::string()> members);
  /// Binds and starts the thread. Handled by itself unless given a handler: `ping` {} -> {};
  /// `stats` {} -> {"node","version","pid","uptime_ms","metrics":{…}}; `log-level` {"level"?} ->
  /// {"level"}.
  Result<void> start(std::shared_ptr<LogBackend> backend);
  void stop();
  std::string endpoint() const;  ///< as bound; "" when off
  std::string ingest_endpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::runtime
