#pragma once
// "host:port" as the config writes it: 127.0.0.1:8420, [::1]:0, localhost:8421, *:8420 (all of
// IPv4). Pure: names are not resolved here.

#include <cstdint>
#include <string>
#include <string_view>

#include "peal/proto/result.hpp"

namespace peal::runtime {

struct Address {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;

  static Result<Address> parse(std::string_view text);
  /// Only this machine can reach it (127.0.0.0/8, ::1, localhost).
  bool loopback() const;
  std::string to_string() const;  ///< with brackets where they are needed
};

/// Whether a ZeroMQ endpoint can be reached from other machines: tcp:// that is not loopback.
bool reachable_from_outside(std::string_view endpoint);

}  // namespace peal::runtime
