#pragma once
// Where a Redis or a Sentinel listens, as the config and Redis itself write it: "host:port",
// "[v6]:port", "unix:/path". Pure: names are not resolved here.

#include <string>
#include <string_view>

#include "peal/runtime/address.hpp"

namespace peal::redis {

struct Endpoint {
  runtime::Address address{};
  std::string path{};  ///< of a unix socket; then there is no address

  static Result<Endpoint> parse(std::string_view text);
  bool is_unix() const { return !path.empty(); }
  std::string to_string() const { return is_unix() ? "unix:" + path : address.to_string(); }
};

}  // namespace peal::redis
