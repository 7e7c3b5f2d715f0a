#pragma once
// A gateway inside the test's process: real shards, router, protocol and embedded bus (or a bus of
// the test's own) on a free port. Everything is adjustable before `start`. Stopped by its
// destructor.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/router.hpp"
#include "log_capture.hpp"
#include "peal/bus/embedded_bus.hpp"
#include "peal/runtime/probe.hpp"
#include "session/json_protocol.hpp"
#include "session/shard.hpp"

namespace peal::test {

class LocalGateway {
 public:
  LocalGateway();
  ~LocalGateway();
  LocalGateway(const LocalGateway&) = delete;
  LocalGateway& operator=(const LocalGateway&) = delete;

  gateway::ShardConfig config;              ///< listens on a free port of 127.0.0.1
  std::vector<gateway::ChannelRule> rules;  ///< default: anyone may do anything
  std::map<std::string, std::string> keys;
  std::vector<std::string> allowed_origins;
  std::vector<gateway::http::ProtocolFactory> protocols;  ///< default: peal.json.v1
  broker::OptionsOf options_of;                           ///< default: all ephemeral
  std::unique_ptr<bus::Bus> bus;                          ///< default: embedded

  /// Throws when it can't start.
  void start();
  void stop();
  gateway::ShardSet& shards() { return *shards_; }
  std::uint16_t port() const;
  std::string address() const { return shards_->address(); }
  LogCapture& log() { return *log_; }
  /// A metric's value by its name and labels as in /metrics: `peal_sessions`,
  /// `peal_x{reason="age"}`.
  double metric(const std::string& name) const;
  runtime::ProbeRegistry& probes() { return probes_; }

 private:
  std::shared_ptr<LogCapture> log_ = std::make_shared<LogCapture>();
  runtime::ProbeRegistry probes_;
  std::unique_ptr<gateway::ShardSet> shards_;
};

}  // namespace peal::test
