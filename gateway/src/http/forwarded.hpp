#pragma once
// Who a request comes from when proxies have passed it on: X-Forwarded-For, or Forwarded (RFC
// 7239). Each proxy adds whom it got the request from at the end, so the list is read from there:
// what a trusted proxy says is believed, what stands before it only as long as it names a trusted
// proxy again. Everything further left is the client's own writing. Pure.

#include <cstdint>
#include <optional>

#include "http/http_machine.hpp"
#include "io/net_address.hpp"

namespace peal::gateway::http {

enum class ForwardedHeader : std::uint8_t { x_forwarded_for, forwarded };

struct ForwardedFor {
  std::optional<NetAddress> client;  ///< none: the proxy itself asks, or hides for whom
  bool broken = false;               ///< an entry that had to be believed is no address
};

/// Of a request that a proxy in `trusted` sent.
ForwardedFor forwarded_for(const Request& request, ForwardedHeader header, const Networks& trusted);

}  // namespace peal::gateway::http
