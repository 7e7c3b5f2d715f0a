#pragma once
// Which web pages and which names of this server are taken: exact allow-lists of Origin and Host. A
// browser tells the Origin of the page that asks, so a page elsewhere can't act with a visitor's
// network; the Host check stops a name of somebody else's that was pointed at this address (DNS
// rebinding). Immutable.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::gateway {

class OriginPolicy {
 public:
  struct Config {
    std::vector<std::string>
        allowed_origins;                     ///< "https://app.example", besides the page's own Host
    std::vector<std::string> allowed_hosts;  ///< "app.example" (any port) or "app.example:8443"
    std::string listen;                      ///< the listener's address, for the default Hosts
  };
  explicit OriginPolicy(Config config) : config_(std::move(config)) {}
  /// config_invalid names the entry that can't be an origin or a host.
  static std::optional<Error> validate(const Config& config);

  /// No Origin: not a browser's cross-origin request, taken. Same authority as Host: taken.
  std::optional<Error> check_origin(std::string_view origin, std::string_view host) const;
  /// With an empty list: loopback names and the listener's own address; any IP literal when it
  /// listens on all of them (a literal can't be rebound).
  std::optional<Error> check_host(std::string_view host) const;
  /// Whether CORS headers are due: the origin is in the list and is not the Host's own.
  bool cross_origin_allowed(std::string_view origin, std::string_view host) const;

 private:
  Config config_;
};

}  // namespace peal::gateway
