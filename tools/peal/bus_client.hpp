#pragma once
// The command line as a node on the bus, beside the gateways: it publishes to a broker and watches
// channels there. For one thread that waits on descriptors; what comes is told to a BusEvents
// during `wait`. On a recoverable channel publications are told in order and once: a hole is read
// from the log first.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "outcome.hpp"
#include "peal/bus/bus_port.hpp"
#include "peal/runtime/curve.hpp"

namespace peal::cli {

class BusEvents {
 public:
  virtual ~BusEvents() = default;
  virtual void on_published(const bus::Published&) {}
  virtual void on_publication(std::size_t /*channel*/, const PublicationView&) {}
  /// The answer to `watch`: an error, or from now on everything comes.
  virtual void on_watched(std::size_t /*channel*/, const std::optional<Error>&) {}
  virtual void on_reset(std::size_t /*channel*/) {}  ///< the past is gone
  virtual void on_link(bool /*linked*/, const std::string& /*detail*/) {}
};

class BusClient {
 public:
  explicit BusClient(BusEvents& events);
  ~BusClient();
  Outcome<void> connect(const std::string& endpoint, const runtime::CurveConfig& curve,
                        std::chrono::milliseconds timeout);
  /// `channel` is the caller's number for it, from 0 on without gaps.
  void watch(std::size_t channel, std::string_view name);
  void publish(const bus::PublishRequest& request);
  /// Hands over what was gathered and lets events in, until something came, `fd` is readable (-1:
  /// none), a signal, or the time has passed.
  void wait(int fd, std::chrono::milliseconds timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peal::cli
