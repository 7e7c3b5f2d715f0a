#include "redis/endpoint.hpp"

namespace peal::redis {

Result<Endpoint> Endpoint::parse(std::string_view text) {
  static constexpr std::string_view kUnix = "unix:";
  Endpoint endpoint;
  if (text.starts_with(kUnix)) {
    endpoint.path = text.substr(kUnix.size());
    if (!endpoint.path.starts_with('/')) {
      return fail(ErrorCode::config_invalid,
                  "\"" + std::string(text) + "\": a unix socket is written unix:/path");
    }
    return endpoint;
  }
  auto address = runtime::Address::parse(text);
  if (address.has_error()) return address.error();
  if (address->port == 0 || address->host == "*") {
    return fail(ErrorCode::config_invalid,
                "\"" + std::string(text) + "\" is no address to connect to");
  }
  endpoint.address = *address;
  return endpoint;
}

}  // namespace peal::redis
