#pragma once
// Who a client is, from the keys it shows: a bearer token of an HTTP request or the token of a
// connect command is compared with every configured key, each in constant time. Any
// thread; the keys can be replaced while they are used. Tokens that describe their holder (JWT)
// come here later.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "peal/gateway/rules.hpp"
#include "peal/proto/result.hpp"
#include "peal/runtime/replaceable.hpp"

namespace peal::gateway {

class Authenticator {
 public:
  using Keys = std::map<std::string, std::string>;
  /// Name -> secret. Empty secrets match nothing.
  explicit Authenticator(Keys keys) : keys_(std::move(keys)) {}
  /// From now on these count; who has shown another stays what it is. Any thread.
  void replace(Keys keys) { keys_.replace(std::move(keys)); }

  /// What `now` becomes by showing `token`: it holds that key's name too. token_invalid when
  /// unknown.
  Result<std::shared_ptr<const Principal>> authenticate(const Principal& now,
                                                        std::string_view token) const;
  /// Of an Authorization header: anonymous when it is empty, token_invalid when it is no known
  /// bearer.
  Result<std::shared_ptr<const Principal>> authorize(std::string_view authorization) const;
  /// The token of an Authorization header, when it has one.
  static std::optional<std::string_view> bearer(std::string_view authorization);

 private:
  runtime::Replaceable<Keys> keys_;
  std::shared_ptr<const Principal> anonymous_ = std::make_shared<const Principal>();
};

/// Whether both are equal, in a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace peal::gateway
