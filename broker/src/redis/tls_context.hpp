#pragma once
// What TLS connections to Redis share: whom to trust, what to show. OpenSSL is behind it, through
// Asio.

#include <memory>
#include <string>

#include "peal/redis/config.hpp"

namespace peal::redis {

struct TlsContext {
  struct Impl;
  std::unique_ptr<Impl> impl;
  std::string server_name{};  ///< empty: the endpoint's host

  /// The error names the file.
  static Result<std::shared_ptr<TlsContext>> make(const Config& config);
  TlsContext();
  ~TlsContext();
};

}  // namespace peal::redis
