#include "session/client_addresses.hpp"

namespace peal::gateway {

using Says = ProxyTrust::Says;

Result<std::shared_ptr<const ProxyTrust>> ProxyTrust::make(const std::vector<std::string>& proxies,
                                                           std::string_view header) {
  auto trust = std::make_shared<ProxyTrust>();
  if (header == "x-forwarded-for") {
    trust->says = Says::x_forwarded_for;
  } else if (header == "forwarded") {
    trust->says = Says::forwarded;
  } else if (header == "proxy-protocol") {
    trust->says = Says::proxy_protocol;
  } else {
    return fail(ErrorCode::config_invalid,
                "proxy_header: \"" + std::string(header) +
                    "\" is none of x-forwarded-for, forwarded, proxy-protocol");
  }
  auto networks = Networks::parse(proxies, "trusted_proxies");
  if (!networks) return networks.error();
  if (networks->empty()) {
    if (trust->says == Says::x_forwarded_for) return std::shared_ptr<const ProxyTrust>();
    return fail(ErrorCode::config_invalid,
                "proxy_header: \"" + std::string(header) + "\" needs trusted_proxies");
  }
  trust->proxies = std::move(*networks);
  return std::shared_ptr<const ProxyTrust>(std::move(trust));
}

void ClientAddresses::accepted(std::uint32_t index, int fd) {
  if (trust_ == nullptr) return;
  if (index >= entries_.size()) entries_.resize(index + 1);
  const auto peer = NetAddress::of_peer(fd);
  entries_[index] = {};
  entries_[index].from_proxy = peer && trust_->proxies.contains(*peer);
}

void ClientAddresses::told(std::uint32_t index, const NetAddress& client) {
  entries_[index].client = client;
  entries_[index].known = true;
}

void ClientAddresses::heard(std::uint32_t index, const http::Request& request) {
  const bool plain = request.count("X-Forwarded-For") > 0;
  const bool standard = request.count("Forwarded") > 0;
  const bool proxy = trusted(index);
  if (!proxy) {
    if (plain || standard) probe_.forwarded_ignored(ForwardedIgnored::untrusted);
    return;
  }
  const bool believes_plain = trust_->says == Says::x_forwarded_for;
  const bool believes_standard = trust_->says == Says::forwarded;
  if ((plain && !believes_plain) || (standard && !believes_standard))
    probe_.forwarded_ignored(ForwardedIgnored::other_header);
  if (!believes_plain && !believes_standard) return;
  // The connection may be another client's now.
  entries_[index].known = false;
  const auto found = http::forwarded_for(
      request,
      believes_plain ? http::ForwardedHeader::x_forwarded_for : http::ForwardedHeader::forwarded,
      trust_->proxies);
  if (found.broken) probe_.forwarded_ignored(ForwardedIgnored::broken);
  if (found.client) told(index, *found.client);
}

std::string ClientAddresses::text(std::uint32_t index, int fd) const {
  if (trust_ != nullptr && entries_[index].known) return entries_[index].client.text();
  const auto peer = NetAddress::of_peer(fd);
  return peer ? peer->text() : std::string();
}

}  // namespace peal::gateway
