#include "peal/runtime/address.hpp"

#include <charconv>

namespace peal::runtime {
namespace {

Error not_an_address(std::string_view text) {
  return fail(ErrorCode::config_invalid,
              "\"" + std::string(text) + "\" is not host:port, like 127.0.0.1:8420 or [::1]:8420");
}

bool loopback_host(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return not_an_address(text);
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']' && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]/ ") != std::string_view::npos) {
    return not_an_address(text);
  }
  const std::string_view port = text.substr(colon + 1);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc{} || end != port.data() + port.size() || value > 65535) {
    return not_an_address(text);
  }
  return Address{host == "*" ? "0.0.0.0" : std::string(host), static_cast<std::uint16_t>(value)};
}

bool Address::loopback() const {
  return loopback_host(host);
}

std::string Address::to_string() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool reachable_from_outside(std::string_view endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  if (!endpoint.starts_with(kTcp)) return false;
  std::string_view address = endpoint.substr(kTcp.size());
  // A client's endpoint may name the interface to leave by: tcp://source;target.
  if (const auto semicolon = address.find(';'); semicolon != std::string_view::npos) {
    address = address.substr(semicolon + 1);
  }
  const auto colon = address.rfind(':');
  const std::string_view host = address.substr(0, colon);
  return !(loopback_host(host) || host == "[::1]" || host == "lo");
}

}  // namespace peal::runtime
