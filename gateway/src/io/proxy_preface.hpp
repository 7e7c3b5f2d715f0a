#pragma once
// The PROXY protocol, versions 1 and 2: what a proxy says of a connection before its first byte.
// Pure. A preface is found by its own length, so that nothing behind it is taken: TLS begins there.
//   v1: "PROXY" SP ("TCP4"|"TCP6") SP source SP destination SP port SP port CRLF, <= 107 bytes,
//       or "PROXY UNKNOWN" ... CRLF
//   v2: signature[12], version and command[1], family[1], length[2], addresses and more[length]

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "io/net_address.hpp"

namespace peal::gateway {

struct ProxyPreface {
  enum class Status : std::uint8_t {
    more,    ///< so far it can be one
    whole,   ///< `length` bytes of it
    wrong,   ///< it begins as one and isn't
    absent,  ///< something else
  };
  Status status = Status::more;
  /// Of the bytes given, how many belong to it (more, whole).
  std::size_t length = 0;
  /// Who is behind the proxy; none when it speaks for itself or doesn't know.
  std::optional<NetAddress> client{};
};

/// `bytes`: all that has come, from the first. One of version 2 that is longer than `bytes_max` is
/// wrong.
ProxyPreface read_proxy_preface(std::string_view bytes, std::size_t bytes_max);

}  // namespace peal::gateway
