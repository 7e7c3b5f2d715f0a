#pragma once
// A shard's reads of the bus. Who asks for the same page before the question has left this shard
// shares one read of the core; whoever asks later gets an answer that is later, so that a client
// that was told of its publication never reads a log without it. One per shard, its thread only.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/slab.hpp"
#include "peal/bus/bus_port.hpp"
#include "session/engine.hpp"
#include "session/gateway_probe.hpp"

namespace peal::gateway {

class PageReads {
 public:
  explicit PageReads(GatewayProbe& probe) : probe_(probe) {}
  void attach(bus::BusPort& port) { port_ = &port; }

  /// `request` is copied, its id is not used. `done` comes once, from on_page or end.
  void read(const bus::ReadRequest& request, PageDone done);
  /// Before each turn of the port: what was asked so far leaves with it.
  void handed_over() {
    if (!gathered_.empty()) gathered_.clear();
  }
  void on_page(const bus::Page& page);
  /// Answers everything that waits.
  void end(const Error& error);

 private:
  struct Read {
    std::vector<PageDone> done;
  };
  static void make_key(std::string& key, const bus::ReadRequest& request);

  GatewayProbe& probe_;
  bus::BusPort* port_ = nullptr;
  Slab<Read> reads_;
  std::unordered_map<std::string, std::uint32_t> gathered_;
  std::string key_;
};

}  // namespace peal::gateway
