#pragma once
// Addresses of the other end, and sets of networks that one may be in. IPv4 is kept as its mapped
// IPv6 form (::ffff:1.2.3.4), so that a client of a dual-stack listener is the same client. Pure,
// but for `of_peer`.

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peal/proto/result.hpp"

namespace peal::gateway {

struct NetAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint16_t port = 0;  ///< 0: not known

  /// "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
  static std::optional<NetAddress> parse(std::string_view text);
  /// Of four or sixteen bytes in network order.
  static NetAddress of_bytes(std::string_view raw, std::uint16_t port);
  /// None when it is no internet address.
  static std::optional<NetAddress> of(const sockaddr_storage& storage);
  /// The other end of a socket; none when it is no internet socket or is gone.
  static std::optional<NetAddress> of_peer(int fd);
  bool v4() const;
  /// As `parse` takes it; the port only when it is known.
  std::string text() const;
  friend bool operator==(const NetAddress&, const NetAddress&) = default;
};

class Networks {
 public:
  /// "10.0.0.0/8", "fd00::/8", or an address alone; the error names the entry and `key`.
  static Result<Networks> parse(const std::vector<std::string>& entries, std::string_view key);
  bool contains(const NetAddress& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 128;  ///< of the mapped form
  };
  std::vector<Network> networks_;
};

}  // namespace peal::gateway
