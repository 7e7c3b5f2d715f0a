#include "session/authenticator.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace peal::gateway {

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // Volatile, so that the compiler can't leave the loop at the first difference.
  volatile unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const auto left = static_cast<unsigned char>(a.empty() ? '\0' : a[i % a.size()]);
    difference = difference | (left ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

Result<std::shared_ptr<const Principal>> Authenticator::authenticate(const Principal& now,
                                                                     std::string_view token) const {
  const std::string* found = nullptr;
  for (const auto& [name, secret] : keys_.get()) {
    if (equal_in_constant_time(secret, token) && !secret.empty()) found = &name;
  }
  if (found == nullptr) return fail(ErrorCode::token_invalid, "this key is not known here");
  auto principal = std::make_shared<Principal>(now);
  if (std::ranges::count(principal->key_names, *found) == 0) principal->key_names.push_back(*found);
  return std::shared_ptr<const Principal>(std::move(principal));
}

Result<std::shared_ptr<const Principal>> Authenticator::authorize(
    std::string_view authorization) const {
  if (authorization.empty()) return anonymous_;
  const auto token = bearer(authorization);
  if (!token) return fail(ErrorCode::token_invalid, "Authorization is not a Bearer token");
  return authenticate(*anonymous_, *token);
}

std::optional<std::string_view> Authenticator::bearer(std::string_view authorization) {
  constexpr std::string_view kBearer = "bearer ";
  if (!http::equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer))
    return std::nullopt;
  return http::trim(authorization.substr(kBearer.size()));
}

}  // namespace peal::gateway
