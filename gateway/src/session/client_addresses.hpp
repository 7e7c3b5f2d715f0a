#pragma once
// Where a shard's clients are, as far as trusted proxies say so. A connection's address is its
// socket's; when the other end is in ProxyTrust::proxies, the PROXY protocol or a header of each
// request says whose connection it really is. Exactly one of the three is believed, since a proxy
// that writes one passes the others on as the client wrote them; what isn't believed is counted.
// Without trusted proxies nothing is kept: the table has one small entry per slot otherwise. One
// thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/forwarded.hpp"
#include "io/net_address.hpp"
#include "session/gateway_probe.hpp"

namespace peal::gateway {

/// Immutable, shared by all shards.
struct ProxyTrust {
  enum class Says : std::uint8_t { x_forwarded_for, forwarded, proxy_protocol };
  Networks proxies;
  Says says = Says::x_forwarded_for;

  /// Null when `proxies` is empty. Errors name trusted_proxies or proxy_header.
  static Result<std::shared_ptr<const ProxyTrust>> make(const std::vector<std::string>& proxies,
                                                        std::string_view header);
};

class ClientAddresses {
 public:
  ClientAddresses(const ProxyTrust* trust, GatewayProbe& probe) : trust_(trust), probe_(probe) {}

  /// Whether each connection is looked at for a PROXY preface before anything else.
  bool prefaced() const {
    return trust_ != nullptr && trust_->says == ProxyTrust::Says::proxy_protocol;
  }
  /// A connection took the slot.
  void accepted(std::uint32_t index, int fd);
  /// Whether the other end of its socket is a trusted proxy.
  bool trusted(std::uint32_t index) const {
    return trust_ != nullptr && entries_[index].from_proxy;
  }
  void told(std::uint32_t index, const NetAddress& client);
  /// What a request says of who asks.
  void heard(std::uint32_t index, const http::Request& request);
  /// "address:port", or "address" where only that is known; "" when it is gone.
  std::string text(std::uint32_t index, int fd) const;

 private:
  struct Entry {
    NetAddress client;
    bool known = false;  ///< a trusted proxy has said it
    bool from_proxy = false;
  };
  const ProxyTrust* trust_;
  GatewayProbe& probe_;
  std::vector<Entry> entries_;
};

}  // namespace peal::gateway
