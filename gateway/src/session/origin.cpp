#include "session/origin.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace peal::gateway {
namespace {

using http::equal_ignoring_case;

struct Authority {
  std::string_view host;  ///< an IPv6 literal without its brackets
  std::string_view port;
  bool bracketed = false;
};

Authority split(std::string_view text) {
  Authority result;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {};
    result.bracketed = true;
    result.host = text.substr(1, end - 1);
    if (text.substr(end + 1).starts_with(':')) result.port = text.substr(end + 2);
    return result;
  }
  const auto colon = text.rfind(':');
  result.host = text.substr(0, colon);
  if (colon != std::string_view::npos) result.port = text.substr(colon + 1);
  return result;
}

bool ipv4_literal(std::string_view host) {
  int dots = 0;
  for (const char c : host) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 3;
}

bool ip_literal(const Authority& authority) {
  return authority.bracketed || ipv4_literal(authority.host);
}

bool loopback(const Authority& authority) {
  if (equal_ignoring_case(authority.host, "localhost")) return true;
  if (authority.bracketed) return authority.host == "::1";
  return ipv4_literal(authority.host) && authority.host.starts_with("127.");
}

/// "https://a.example:8443" -> "a.example:8443", a port that the scheme implies cut; empty for
/// others.
std::string_view authority_of(std::string_view origin) {
  for (const auto& [scheme, implied] :
       {std::pair<std::string_view, std::string_view>{"http://", ":80"}, {"https://", ":443"}}) {
    if (!equal_ignoring_case(origin.substr(0, scheme.size()), scheme)) continue;
    auto authority = origin.substr(scheme.size());
    if (authority.ends_with(implied)) authority.remove_suffix(implied.size());
    return authority;
  }
  return {};
}

bool same_origin(std::string_view origin, std::string_view host) {
  const auto authority = authority_of(origin);
  if (authority.empty()) return false;
  const bool secure = origin.size() > 4 && (origin[4] == 's' || origin[4] == 'S');
  const std::string_view implied = secure ? ":443" : ":80";
  if (host.ends_with(implied)) host.remove_suffix(implied.size());
  return equal_ignoring_case(authority, host);
}

}  // namespace

std::optional<Error> OriginPolicy::validate(const Config& config) {
  for (const std::string& origin : config.allowed_origins) {
    const auto authority = authority_of(origin);
    if (authority.empty() || authority.find_first_of("/*?# ") != std::string_view::npos) {
      return fail(ErrorCode::config_invalid,
                  "allowed_origins: \"" + origin +
                      R"(" is not an origin like "https://app.example" (exact, without a path))");
    }
  }
  for (const std::string& host : config.allowed_hosts) {
    if (host.empty() || host.find_first_of("/*?# ") != std::string::npos) {
      return fail(ErrorCode::config_invalid,
                  "allowed_hosts: \"" + host +
                      R"(" is not a host like "app.example" or "app.example:8443")");
    }
  }
  return std::nullopt;
}

std::optional<Error> OriginPolicy::check_origin(std::string_view origin,
                                                std::string_view host) const {
  if (origin.empty() || same_origin(origin, host)) return std::nullopt;
  if (cross_origin_allowed(origin, host)) return std::nullopt;
  return fail(
      ErrorCode::origin_refused,
      "pages of the origin " + std::string(origin.substr(0, 256)) + " are not allowed here");
}

bool OriginPolicy::cross_origin_allowed(std::string_view origin, std::string_view host) const {
  if (origin.empty() || same_origin(origin, host)) return false;
  return std::ranges::any_of(config_.allowed_origins, [&](const std::string& allowed) {
    return equal_ignoring_case(allowed, origin);
  });
}

std::optional<Error> OriginPolicy::check_host(std::string_view host) const {
  const Authority asked = split(host);
  bool allowed = false;
  if (config_.allowed_hosts.empty()) {
    const Authority own = split(config_.listen);
    const bool all_addresses = own.host == "0.0.0.0" || own.host == "::" || own.host.empty();
    allowed = loopback(asked) || (ip_literal(asked) && (all_addresses || asked.host == own.host));
  } else {
    allowed = std::ranges::any_of(config_.allowed_hosts, [&](const std::string& entry) {
      const Authority candidate = split(entry);
      return equal_ignoring_case(candidate.host, asked.host) &&
             (candidate.port.empty() || candidate.port == asked.port);
    });
  }
  if (allowed) return std::nullopt;
  return fail(ErrorCode::host_refused,
              host.empty()
                  ? "the request has no Host"
                  : "the Host " + std::string(host.substr(0, 256)) + " is not allowed here");
}

}  // namespace peal::gateway
