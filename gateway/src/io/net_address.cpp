#include "io/net_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

namespace peal::gateway {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<NetAddress> bare(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (text.empty() || text.size() >= host.size()) return std::nullopt;
  std::ranges::copy(text, host.begin());
  std::array<char, 16> raw{};
  if (::inet_pton(AF_INET, host.data(), raw.data()) == 1)
    return NetAddress::of_bytes({raw.data(), 4}, 0);
  if (::inet_pton(AF_INET6, host.data(), raw.data()) == 1)
    return NetAddress::of_bytes({raw.data(), 16}, 0);
  return std::nullopt;
}

std::optional<NetAddress> with_port(std::string_view host, std::string_view port) {
  auto address = bare(host);
  const auto parsed = number<std::uint16_t>(port);
  if (!address || !parsed) return std::nullopt;
  address->port = *parsed;
  return address;
}

}  // namespace

NetAddress NetAddress::of_bytes(std::string_view raw, std::uint16_t port) {
  NetAddress address;
  address.port = port;
  if (raw.size() == 4) std::ranges::copy(kMapped, address.bytes.begin());
  std::memcpy(address.bytes.data() + (address.bytes.size() - raw.size()), raw.data(), raw.size());
  return address;
}

std::optional<NetAddress> NetAddress::parse(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view host = text.substr(1, end - 1), rest = text.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
    if (rest.empty()) return bare(host);
    return rest.starts_with(':') ? with_port(host, rest.substr(1)) : std::nullopt;
  }
  // One colon is a port's; more are an IPv6 address.
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon != text.rfind(':')) return bare(text);
  return with_port(text.substr(0, colon), text.substr(colon + 1));
}

std::optional<NetAddress> NetAddress::of_peer(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  return of(storage);
}

std::optional<NetAddress> NetAddress::of(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    return of_bytes({reinterpret_cast<const char*>(&v4->sin_addr), 4}, ntohs(v4->sin_port));
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  return of_bytes({reinterpret_cast<const char*>(&v6->sin6_addr), 16}, ntohs(v6->sin6_port));
}

bool NetAddress::v4() const {
  return std::ranges::equal(kMapped, std::span(bytes).first<kMapped.size()>());
}

std::string NetAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (v4())
    ::inet_ntop(AF_INET, bytes.data() + kMapped.size(), host.data(), host.size());
  else
    ::inet_ntop(AF_INET6, bytes.data(), host.data(), host.size());
  if (port == 0) return host.data();
  const std::string tail = ':' + std::to_string(port);
  return v4() ? host.data() + tail : '[' + std::string(host.data()) + ']' + tail;
}

Result<Networks> Networks::parse(const std::vector<std::string>& entries, std::string_view key) {
  Networks networks;
  for (const std::string& entry : entries) {
    const std::string_view text = entry;
    const auto slash = text.find('/');
    const auto address = bare(text.substr(0, slash));
    Network network;
    bool good = address.has_value();
    if (good && slash != std::string_view::npos) {
      const auto bits = number<unsigned>(text.substr(slash + 1));
      const unsigned before = address->v4() ? kMappedBits : 0;
      good = bits && *bits + before <= 128;
      if (good) network.bits = *bits + before;
    }
    if (!good) {
      return fail(ErrorCode::config_invalid,
                  std::string(key) + ": \"" + entry +
                      R"(" is neither an address nor a network like "10.0.0.0/8")");
    }
    network.bytes = address->bytes;
    networks.networks_.push_back(network);
  }
  return networks;
}

bool Networks::contains(const NetAddress& address) const {
  return std::ranges::any_of(networks_, [&](const Network& network) {
    const unsigned whole = network.bits / 8, rest = network.bits % 8;
    if (!std::equal(address.bytes.begin(), address.bytes.begin() + whole, network.bytes.begin()))
      return false;
    if (rest == 0) return true;
    const unsigned differing = address.bytes[whole] ^ network.bytes[whole];
    return differing >> (8 - rest) == 0;
  });
}

}  // namespace peal::gateway
